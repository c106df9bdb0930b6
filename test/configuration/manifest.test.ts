import { assert, dictionary, jsonValue, property, string } from "fast-check";
import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { canonicalJson, canonicalManifest, manifestDigest } from "../../configuration/manifest-digest.ts";
import { readManifest } from "../../configuration/read-manifest.ts";
import { openManifest, signManifest } from "../../configuration/sign-manifest.ts";
import { type GoldenManifest, goldenManifestSchema } from "../../schema/golden-manifest.ts";

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

const file = (path: string) => ({
  path,
  sha256: sha256(path),
  bytes: 3,
  mode: "0644",
  owner: null,
  hook: "reload",
});
const manifest = (change: Partial<GoldenManifest> = {}): GoldenManifest => ({
  version: 1,
  fleet: "shop",
  epoch: 3,
  expiresAtMs: 1000,
  files: [file("b.conf"), file("a/c.conf")],
  ...change,
});

describe("canonicalJson", () => {
  it("depends on values, never on the order of keys", () => {
    assert(
      property(dictionary(string(), jsonValue()), (value) => {
        const turned = Object.fromEntries(Object.entries(value).reverse());
        expect(canonicalJson(turned)).toBe(canonicalJson(value));
        expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });
});

describe("manifestDigest", () => {
  it("leaves out epoch, expiry and the order of files", () => {
    const digest = manifestDigest(manifest(), sha256);
    expect(manifestDigest(manifest({ epoch: 9, expiresAtMs: 5 }), sha256)).toBe(digest);
    expect(manifestDigest(manifest({ files: manifest().files.reverse() }), sha256)).toBe(digest);
  });

  it.each([
    ["fleet", manifest({ fleet: "other" })],
    ["content", manifest({ files: [{ ...file("b.conf"), sha256: sha256("x") }, file("a/c.conf")] })],
    ["mode", manifest({ files: [{ ...file("b.conf"), mode: "0600" }, file("a/c.conf")] })],
    ["files", manifest({ files: [file("b.conf")] })],
  ])("changes with %s", (_what, changed) => {
    expect(manifestDigest(changed, sha256)).not.toBe(manifestDigest(manifest(), sha256));
  });
});

describe("readManifest", () => {
  it("reads what the schema takes, and gives the same value", () => {
    const text = canonicalManifest(manifest());
    expect(readManifest(text)).toEqual(goldenManifestSchema.parse(JSON.parse(text)));
  });

  it.each([["/etc/passwd"], ["../up"], ["a/../../up"], ["a//b"], ["./a"], ["a/"], [""], ["nul\0"], ["x".repeat(513)]])(
    "refuses the path %j",
    (path) => {
      const text = JSON.stringify(manifest({ files: [file(path)] }));
      expect(() => readManifest(text)).toThrow(expect.objectContaining({ code: "MANIFEST_REFUSED" }));
    },
  );

  it.each([
    ["no JSON", "{"],
    ["a list", "[]"],
    ["another version", JSON.stringify({ ...manifest(), version: 2 })],
    ["an epoch of nought", JSON.stringify(manifest({ epoch: 0 }))],
    ["no expiry", JSON.stringify({ ...manifest(), expiresAtMs: undefined })],
    ["a path that comes twice", JSON.stringify(manifest({ files: [file("a"), file("a")] }))],
    ["a file that is a folder too", JSON.stringify(manifest({ files: [file("a/b/c"), file("a")] }))],
    ["set-user bits", JSON.stringify(manifest({ files: [{ ...file("a"), mode: "4755" }] }))],
    ["an unknown hook", JSON.stringify(manifest({ files: [{ ...file("a"), hook: "rm -rf" }] }))],
    ["no digest", JSON.stringify(manifest({ files: [{ ...file("a"), sha256: "abc" }] }))],
    ["a negative size", JSON.stringify(manifest({ files: [{ ...file("a"), bytes: -1 }] }))],
  ])("refuses %s", (_what, text) => {
    expect(() => readManifest(text)).toThrow(expect.objectContaining({ code: "MANIFEST_REFUSED" }));
  });
});

describe("signing", () => {
  const signer = { keyId: sha256("key"), sign: (text: string) => sha256(`key ${text}`) };
  const keys = new Map([[signer.keyId, (text: string, signature: string) => signature === sha256(`key ${text}`)]]);

  it("opens what an allowed key signed, whatever the order of its files was", () => {
    const signed = signManifest(manifest(), signer);
    const opened = openManifest(signed, keys);
    expect(manifestDigest(opened, sha256)).toBe(manifestDigest(manifest(), sha256));
    expect(signManifest(manifest({ files: manifest().files.reverse() }), signer)).toEqual(signed);
  });

  it("refuses unknown keys and changed bytes", () => {
    const signed = signManifest(manifest(), signer);
    const refusal = expect.objectContaining({ code: "MANIFEST_REFUSED" });
    expect(() => openManifest(signed, new Map())).toThrow(refusal);
    expect(() => openManifest({ ...signed, manifest: `${signed.manifest} ` }, keys)).toThrow(refusal);
  });

  it("refuses to sign what no agent would take", () => {
    expect(() => signManifest(manifest({ files: [file("../x")] }), signer)).toThrow(/leaves its folder/);
  });
});
