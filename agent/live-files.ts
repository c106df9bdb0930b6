import { createHash } from "node:crypto";
import { lstat, readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import type { GoldenManifest, ManifestFile } from "../schema/golden-manifest.ts";
import { ownerName } from "./owners.ts";

/** SHA-256 of bytes, or of a text in UTF-8, in lower-case hexadecimal. */
export function sha256Hex(content: string | Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
}

/**
 * What a generation's folder holds now, in the form of a manifest's files. Hook, and an owner that the manifest
 * leaves open, are taken from the manifest, so that an untouched folder gives the manifest's own digest.
 */
export async function readLiveFiles(folder: string, manifest: GoldenManifest): Promise<ManifestFile[]> {
  const assigned = new Map(manifest.files.map((file) => [file.path, file]));
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
  const live: ManifestFile[] = [];
  for (const path of paths) live.push(await readLiveFile(folder, path, assigned.get(path)));
  return live;
}

async function readLiveFile(folder: string, path: string, assigned: ManifestFile | undefined): Promise<ManifestFile> {
  const full = join(folder, path);
  const status = await lstat(full);
  const content = status.isFile() ? await readFile(full) : Buffer.from(await describeOther(full));
  return {
    path,
    sha256: sha256Hex(content),
    bytes: content.length,
    mode: `0${(status.mode & 0o777).toString(8).padStart(3, "0")}`,
    owner: (assigned?.owner ?? null) === null ? null : await ownerName(status.uid),
    hook: assigned?.hook ?? null,
  };
}

/** A link or device in the place of a file is never what a manifest asks for. */
async function describeOther(path: string): Promise<string> {
  const target = await readlink(path).catch(() => null);
  return target === null ? "not a regular file" : `link to ${target}`;
}
