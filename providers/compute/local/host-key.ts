import { createHash } from "node:crypto";
import ssh2 from "ssh2";
import type { ParsedKey } from "ssh2";
import { ForewarmError } from "../../../domain/errors.ts";

/** The one key in a text, or null; ssh2 answers a list for formats that can hold several. */
function parseOneKey(text: string): ParsedKey | null {
  const parsed: unknown = ssh2.utils.parseKey(text);
  if (parsed instanceof Error) return null;
  const first: unknown = Array.isArray(parsed) ? parsed[0] : parsed;
  return isParsedKey(first) ? first : null;
}

function isParsedKey(value: unknown): value is ParsedKey {
  return typeof value === "object" && value !== null && "getPublicSSH" in value;
}

/** A new ed25519 host key as OpenSSH text. About one in 256 that ssh2 makes cannot be read back, hence the loop. */
export function newHostKey(): string {
  for (;;) {
    const pair = ssh2.utils.generateKeyPairSync("ed25519");
    if (parseOneKey(pair.private) && parseOneKey(pair.public)) return pair.private;
  }
}

/** `SHA256:<base64 without padding>` of a key, as `ssh-keygen -lf` prints it. */
export function keyFingerprint(key: string): string {
  const digest = createHash("sha256").update(parsePublicKey(key).getPublicSSH()).digest("base64");
  return `SHA256:${digest.replace(/=+$/, "")}`;
}

/** A key as ssh2 understands it; throws INVALID_REQUEST when it is none. */
export function parsePublicKey(text: string): ParsedKey {
  const key = parseOneKey(text);
  if (key) return key;
  throw new ForewarmError("INVALID_REQUEST", "authorizedKey is not an OpenSSH public key line");
}
