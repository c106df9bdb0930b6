import { createPrivateKey, createPublicKey, sign, verify } from "node:crypto";
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import ssh2 from "ssh2";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ensureKeys } from "../../embedded/keys.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "fw-keys-"));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("the SSH key's halves belong together and its private half is private", () => {
  const { fleetKey, fleetPublicKey } = ensureKeys(folder);
  const secret = ssh2.utils.parseKey(readFileSync(fleetKey));
  const open = ssh2.utils.parseKey(readFileSync(fleetPublicKey));
  if (secret instanceof Error || open instanceof Error) throw new Error("unreadable key");
  expect(open.verify(Buffer.from("forewarm"), secret.sign(Buffer.from("forewarm")))).toBe(true);
  expect(statSync(fleetKey).mode & 0o777).toBe(0o600);
});

test("the signing key signs what its public half verifies", () => {
  const { signingKey, signingPublicKey } = ensureKeys(folder);
  const signature = sign(null, Buffer.from("manifest"), createPrivateKey(readFileSync(signingKey)));
  const open = createPublicKey(readFileSync(signingPublicKey));
  expect(open.asymmetricKeyType).toBe("ed25519");
  expect(verify(null, Buffer.from("manifest"), open, signature)).toBe(true);
  expect(statSync(signingKey).mode & 0o777).toBe(0o600);
});

test("present keys are kept, a lost public half is made again, loose modes are tightened", () => {
  const first = ensureKeys(folder);
  const before = Object.values(first).map((path) => readFileSync(path, "utf8"));
  unlinkSync(first.fleetPublicKey);
  chmodSync(first.signingKey, 0o644);
  expect(Object.values(ensureKeys(folder)).map((path) => readFileSync(path, "utf8"))).toEqual(before);
  expect(statSync(first.signingKey).mode & 0o777).toBe(0o600);
});

test("a broken key is refused by name instead of replaced", () => {
  const { fleetKey } = ensureKeys(folder);
  writeFileSync(fleetKey, "no key");
  expect(() => ensureKeys(folder)).toThrow(
    expect.objectContaining({ code: "UNAUTHORIZED", message: expect.stringContaining(fleetKey) }),
  );
  expect(readFileSync(fleetKey, "utf8")).toBe("no key");
});
