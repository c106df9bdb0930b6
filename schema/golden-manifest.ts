import { z } from "zod";

const sha256Hex = z.string().regex(/^[0-9a-f]{64}$/, "a SHA-256 digest in lower-case hexadecimal");

/** One file of the golden configuration, below the active generation's folder. */
export const manifestFileSchema = z.strictObject({
  path: z.string().min(1).max(512).meta({ description: "Relative path below the generation folder, without `..`." }),
  sha256: sha256Hex,
  bytes: z.number().int().min(0),
  mode: z
    .string()
    .regex(/^0[0-7]{3}$/)
    .meta({ description: "Octal permission bits, such as 0644." }),
  owner: z.string().max(64).nullable(),
  hook: z
    .string()
    .max(64)
    .nullable()
    .meta({ description: "How the workload learns of a change: reload, restart, or null." }),
});
export type ManifestFile = z.infer<typeof manifestFileSchema>;

/** What every host of a fleet must hold. Its digest leaves out epoch, expiry and signature. */
export const goldenManifestSchema = z.strictObject({
  version: z.literal(1),
  fleet: z.string(),
  epoch: z.number().int().min(1),
  expiresAtMs: z.number().int(),
  files: z.array(manifestFileSchema).max(2000),
});
export type GoldenManifest = z.infer<typeof goldenManifestSchema>;

/** A manifest in the exact bytes that were signed, with the Ed25519 signature over them. */
export const signedManifestSchema = z.strictObject({
  manifest: z.string().meta({ description: "Canonical JSON of the manifest: the signed bytes." }),
  keyId: sha256Hex.meta({ description: "SHA-256 of the raw 32-byte public key." }),
  signature: z.string().meta({ description: "Base64 of the 64-byte Ed25519 signature." }),
});
export type SignedManifest = z.infer<typeof signedManifestSchema>;
