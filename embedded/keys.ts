import { createPrivateKey, createPublicKey, generateKeyPairSync } from "node:crypto";
import { chmodSync, existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import ssh2 from "ssh2";
import { ForewarmError } from "../domain/errors.ts";

/** Key files of one home. Private halves have mode 0600; each public half lies beside its private half. */
export interface KeyPaths {
  /** OpenSSH private key with which workers log in to hosts. */
  fleetKey: string;
  fleetPublicKey: string;
  /** Ed25519 private key (PKCS#8 PEM) that signs golden manifests. */
  signingKey: string;
  signingPublicKey: string;
}

const drawsMax = 32;

/** Makes the keys that are missing in the folder; present ones are checked and kept. Throws UNAUTHORIZED for a broken one. */
export function ensureKeys(folder: string): KeyPaths {
  const paths = {
    fleetKey: join(folder, "fleet_ed25519"),
    fleetPublicKey: join(folder, "fleet_ed25519.pub"),
    signingKey: join(folder, "signing.pem"),
    signingPublicKey: join(folder, "signing.pub.pem"),
  };
  ensurePair(paths.fleetKey, paths.fleetPublicKey, { make: newFleetKey, publicHalf: fleetPublicHalf });
  ensurePair(paths.signingKey, paths.signingPublicKey, { make: newSigningKey, publicHalf: signingPublicHalf });
  return paths;
}

interface KeyKind {
  make(): string;
  publicHalf(privateKey: string): string;
}

function ensurePair(privatePath: string, publicPath: string, kind: KeyKind): void {
  if (!existsSync(privatePath)) writeWhole(privatePath, kind.make(), 0o600);
  chmodSync(privatePath, 0o600);
  writeWhole(publicPath, readPublicHalf(privatePath, kind), 0o644);
}

function readPublicHalf(privatePath: string, kind: KeyKind): string {
  try {
    return kind.publicHalf(readFileSync(privatePath, "utf8"));
  } catch (cause) {
    throw new ForewarmError("UNAUTHORIZED", `${privatePath} is not a readable private key`, {
      cause,
      cure: "Restore the file, or move it away to have a new key made.",
    });
  }
}

// ssh2 writes key halves without their leading zero bytes, and then cannot read them: about 1 key in 128.
function newFleetKey(): string {
  for (let draw = 0; draw < drawsMax; draw += 1) {
    const pair = ssh2.utils.generateKeyPairSync("ed25519", { comment: "forewarm-fleet" });
    const halves = [ssh2.utils.parseKey(pair.private), ssh2.utils.parseKey(pair.public)];
    if (!halves.some((half) => half instanceof Error)) return pair.private;
  }
  throw new ForewarmError("INVARIANT", `${drawsMax} SSH keys in a row could not be read back`);
}

function fleetPublicHalf(privateKey: string): string {
  const parsed = ssh2.utils.parseKey(privateKey);
  if (parsed instanceof Error) throw parsed;
  return `ssh-ed25519 ${parsed.getPublicSSH().toString("base64")} forewarm-fleet\n`;
}

function newSigningKey(): string {
  return generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}

function signingPublicHalf(privateKey: string): string {
  return createPublicKey(createPrivateKey(privateKey)).export({ type: "spki", format: "pem" }).toString();
}

function writeWhole(path: string, content: string, mode: number): void {
  const draft = `${path}.draft`;
  writeFileSync(draft, content, { mode });
  renameSync(draft, path);
}
