import { createHash, createPublicKey, verify } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { VerifySignature } from "../configuration/sign-manifest.ts";
import { ForewarmError } from "../domain/errors.ts";
import { createFields } from "./fields.ts";

export interface HostSettings {
  fleet: string;
  /** Verifiers by key id. */
  keys: ReadonlyMap<string, VerifySignature>;
  hooks: readonly string[];
}

/** Reads what the bootstrap allows on this host. Throws INVALID_REQUEST when it is absent or wrong. */
export async function readSettings(stateFolder: string): Promise<HostSettings> {
  const path = join(stateFolder, "agent.json");
  const fields = createFields("agent.json", await readSettingsFile(path));
  const keys = fields.texts("signingKeys").map((key) => Buffer.from(key, "base64"));
  return {
    fleet: fields.text("fleet"),
    keys: new Map(keys.map((raw) => [createHash("sha256").update(raw).digest("hex"), createVerifier(raw)])),
    hooks: fields.texts("hooks"),
  };
}

async function readSettingsFile(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    throw new ForewarmError("INVALID_REQUEST", `${path} cannot be read`, { cause: error });
  }
}

function createVerifier(raw: Buffer): VerifySignature {
  if (raw.length !== 32) throw new ForewarmError("INVALID_REQUEST", "a signing key in agent.json has not 32 bytes");
  const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: raw.toString("base64url") }, format: "jwk" });
  return (text, signature) => verify(null, Buffer.from(text, "utf8"), key, Buffer.from(signature, "base64"));
}
