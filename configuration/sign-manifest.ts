import { ForewarmError } from "../domain/errors.ts";
import type { GoldenManifest, SignedManifest } from "../schema/golden-manifest.ts";
import { canonicalManifest } from "./manifest-digest.ts";
import { readManifest } from "./read-manifest.ts";

export interface ManifestSigner {
  /** SHA-256 of the raw 32-byte Ed25519 public key, lower-case hexadecimal. */
  keyId: string;
  /** Ed25519 signature over the UTF-8 bytes of the text, base64. */
  sign(text: string): string;
}

/** Says whether a base64 signature over the UTF-8 bytes of a text was made by one certain key. */
export type VerifySignature = (text: string, signature: string) => boolean;

/** Signs a manifest in its canonical form. Throws MANIFEST_REFUSED for a manifest that no agent would take. */
export function signManifest(manifest: GoldenManifest, signer: ManifestSigner): SignedManifest {
  const text = canonicalManifest(manifest);
  readManifest(text);
  return { manifest: text, keyId: signer.keyId, signature: signer.sign(text) };
}

/**
 * Returns the manifest when an allowed key signed exactly its bytes; `keys` maps key ids to verifiers.
 * Throws MANIFEST_REFUSED.
 */
export function openManifest(signed: SignedManifest, keys: ReadonlyMap<string, VerifySignature>): GoldenManifest {
  const verify = keys.get(signed.keyId);
  if (verify === undefined) {
    throw new ForewarmError("MANIFEST_REFUSED", `the manifest is signed by key ${signed.keyId}, which is not allowed`);
  }
  if (!verify(signed.manifest, signed.signature)) {
    throw new ForewarmError("MANIFEST_REFUSED", `the signature of key ${signed.keyId} does not fit the manifest`);
  }
  return readManifest(signed.manifest);
}
