import { ForewarmError } from "../domain/errors.ts";
import type { GoldenManifest, ManifestFile } from "../schema/golden-manifest.ts";

const filesMax = 2000;
const pathCharsMax = 512;
const hooks: readonly (string | null)[] = ["reload", "restart", null];

/** Reads the signed text of a manifest without a schema library. Throws MANIFEST_REFUSED naming what is wrong. */
export function readManifest(text: string): GoldenManifest {
  const manifest = parseObject(text);
  const { version, fleet, epoch, expiresAtMs, files } = manifest;
  if (version !== 1) throw refused(`version ${String(version)} is not understood`);
  if (typeof fleet !== "string") throw refused("fleet is missing");
  if (!isInteger(epoch) || epoch < 1) throw refused("epoch is not a positive integer");
  if (!isInteger(expiresAtMs)) throw refused("expiresAtMs is not an integer");
  if (!Array.isArray(files) || files.length > filesMax) throw refused(`files is not a list of at most ${filesMax}`);
  const read = files.map(readFile);
  requireDistinctPaths(read);
  return { version, fleet, epoch, expiresAtMs, files: read };
}

function parseObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ForewarmError("MANIFEST_REFUSED", "the manifest is not JSON", { cause: error });
  }
  if (!isRecord(value)) throw refused("it is not an object");
  return value;
}

function readFile(value: unknown): ManifestFile {
  if (!isRecord(value)) throw refused("a file is not an object");
  const { path, sha256, bytes } = value;
  if (typeof path !== "string" || !isSafePath(path)) throw refused(`path ${JSON.stringify(path)} leaves its folder`);
  if (typeof sha256 !== "string" || !/^[0-9a-f]{64}$/.test(sha256)) throw refused(`${path}: sha256 is not a digest`);
  if (!isInteger(bytes) || bytes < 0) throw refused(`${path}: bytes is not a size`);
  return { path, sha256, bytes, ...readAttributes(path, value) };
}

function readAttributes(path: string, { mode, owner, hook }: Record<string, unknown>) {
  if (typeof mode !== "string" || !/^0[0-7]{3}$/.test(mode)) throw refused(`${path}: mode is not octal`);
  if (owner !== null && typeof owner !== "string") throw refused(`${path}: owner is not a name`);
  if (!isHook(hook)) throw refused(`${path}: hook ${JSON.stringify(hook)} is not known`);
  return { mode, owner, hook };
}

/** Whether a path is relative, plain and stays below the folder it is resolved in. */
function isSafePath(path: string): boolean {
  if (path.length === 0 || path.length > pathCharsMax || path.includes("\0")) return false;
  return path.split("/").every((segment) => segment !== "" && segment !== "." && segment !== "..");
}

/** A path may neither come twice nor be the folder of another one. */
function requireDistinctPaths(files: readonly ManifestFile[]): void {
  const paths = new Set(files.map((file) => file.path));
  if (paths.size !== files.length) throw refused("a path comes twice");
  for (const path of paths) {
    for (let end = path.lastIndexOf("/"); end > 0; end = path.lastIndexOf("/", end - 1)) {
      if (paths.has(path.slice(0, end))) throw refused(`${path.slice(0, end)} is both a file and a folder`);
    }
  }
}

function isHook(value: unknown): value is ManifestFile["hook"] {
  return hooks.some((known) => known === value);
}

function isInteger(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function refused(reason: string): ForewarmError {
  return new ForewarmError("MANIFEST_REFUSED", `the manifest is refused: ${reason}`);
}
