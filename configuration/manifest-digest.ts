import type { GoldenManifest } from "../schema/golden-manifest.ts";

/** JSON with object keys in code-unit order and no white space, so that equal values give equal bytes. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const entries = Object.entries(value)
    .filter(([, held]) => held !== undefined)
    .sort(([left], [right]) => compareCodeUnits(left, right));
  return `{${entries.map(([key, held]) => `${JSON.stringify(key)}:${canonicalJson(held)}`).join(",")}}`;
}

/** The bytes that are signed: the manifest with its files in the order of their paths. */
export function canonicalManifest(manifest: GoldenManifest): string {
  return canonicalJson({ ...manifest, files: sortedFiles(manifest) });
}

/**
 * Digest of what a manifest asks a host to hold: epoch and expiry are left out, so that the same content
 * signed again counts as the same. `sha256` hashes UTF-8 text to lower-case hexadecimal.
 */
export function manifestDigest(manifest: GoldenManifest, sha256: (text: string) => string): string {
  const { epoch: _epoch, expiresAtMs: _expiresAtMs, ...content } = manifest;
  return sha256(canonicalJson({ ...content, files: sortedFiles(manifest) }));
}

function sortedFiles(manifest: GoldenManifest) {
  return [...manifest.files].sort((left, right) => compareCodeUnits(left.path, right.path));
}

function compareCodeUnits(left: string, right: string): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}
