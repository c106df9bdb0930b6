import { chmod, lstat, mkdir, readdir, readlink, rename, rm, symlink, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { manifestDigest } from "../configuration/manifest-digest.ts";
import { readManifest } from "../configuration/read-manifest.ts";
import { ForewarmError } from "../domain/errors.ts";
import { limits } from "../domain/limits.ts";
import type { GoldenManifest, ManifestFile, SignedManifest } from "../schema/golden-manifest.ts";
import type { Crash } from "./crash-point.ts";
import { isMissing, readJsonIfPresent, syncPath, writeDurably } from "./durable-file.ts";
import { createFields } from "./fields.ts";
import { readLiveFiles, sha256Hex } from "./live-files.ts";
import { giveToOwner } from "./owners.ts";

export type Hook = "reload" | "restart";

export interface Generation {
  /** Name of its folder: the epoch, and the fence where that epoch was laid out before. */
  name: string;
  folder: string;
  manifest: GoldenManifest;
  digest: string;
  /** The fence it was put in force under, and the hooks of what it changed. */
  fence: number;
  hooks: Hook[];
}

export interface LayOut {
  fence: number;
  signed: SignedManifest;
  manifest: GoldenManifest;
  hooks: Hook[];
  /** The verified content of a file. */
  contentOf(file: ManifestFile): Promise<Buffer>;
}

export const hookNames: readonly Hook[] = ["reload", "restart"];

export interface Generations {
  /** The generation `current` points at; null before the first install. */
  inForce(): Promise<Generation | null>;
  /** What is on the disk now below `current`, and the digest it has. */
  live(): Promise<{ epoch: number; digest: string; files: ManifestFile[] }>;
  /** Lays a generation out beside the one in force and switches `current` to it by one rename. */
  activate(request: LayOut): Promise<void>;
}

/** The generations of configuration below the state folder: `generations/<name>/` and the link `current`. */
export function openGenerations(stateFolder: string, crash: Crash): Generations {
  const folder = join(stateFolder, "generations");
  const current = join(stateFolder, "current");

  const nameInForce = async (): Promise<string | null> => {
    try {
      return basename(await readlink(current));
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  };
  const inForce = async (): Promise<Generation | null> => {
    const name = await nameInForce();
    if (name === null) return null;
    const fields = createFields(`${name}.json`, await readJsonIfPresent(join(folder, `${name}.json`)));
    const manifest = readManifest(fields.record("signed").text("manifest"));
    return {
      name,
      folder: join(folder, name),
      manifest,
      digest: manifestDigest(manifest, sha256Hex),
      fence: fields.integer("fence"),
      hooks: hookNames.filter((hook) => fields.texts("hooks").includes(hook)),
    };
  };
  return {
    inForce,
    async live() {
      const generation = await inForce();
      if (generation === null) return { epoch: 0, digest: "", files: [] };
      const { manifest } = generation;
      const files = await readLiveFiles(generation.folder, manifest);
      return { epoch: manifest.epoch, digest: manifestDigest({ ...manifest, files }, sha256Hex), files };
    },
    async activate(request) {
      const name = await freeName(folder, request, await nameInForce());
      await layOut(folder, name, request);
      crash("after-layout");
      await rm(join(folder, name), { recursive: true, force: true });
      await rename(join(folder, `${name}.tmp`), join(folder, name));
      await syncPath(folder);
      crash("after-rename");
      await switchTo(current, `generations/${name}`, crash);
      crash("after-switch");
      await prune(folder, name);
    },
  };
}

async function freeName(folder: string, { manifest, fence }: LayOut, inForce: string | null): Promise<string> {
  await mkdir(folder, { recursive: true });
  const plain = String(manifest.epoch);
  return plain === inForce ? `${plain}.${fence}` : plain;
}

async function layOut(folder: string, name: string, request: LayOut): Promise<void> {
  const temporary = join(folder, `${name}.tmp`);
  await rm(temporary, { recursive: true, force: true });
  await mkdir(temporary);
  for (const file of request.manifest.files) await writeFileOf(temporary, file, await request.contentOf(file));
  const entries = await readdir(temporary, { recursive: true, withFileTypes: true });
  const folders = entries.filter((entry) => entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name));
  for (const path of [...folders, temporary]) await syncPath(path);
  const { signed, fence, hooks } = request;
  await writeDurably(join(folder, `${name}.json`), JSON.stringify({ signed, fence, hooks }));
}

async function writeFileOf(temporary: string, file: ManifestFile, content: Buffer): Promise<void> {
  const path = join(temporary, file.path);
  if (content.length !== file.bytes) {
    throw new ForewarmError("MANIFEST_REFUSED", `${file.path}: has ${content.length} bytes, signed are ${file.bytes}`);
  }
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content, { mode: 0o600, flush: true });
  if (file.owner !== null) await giveToOwner(path, file.owner);
  await chmod(path, Number.parseInt(file.mode, 8));
}

async function switchTo(current: string, target: string, crash: Crash): Promise<void> {
  await rm(`${current}.tmp`, { force: true });
  await symlink(target, `${current}.tmp`);
  crash("before-switch");
  await rename(`${current}.tmp`, current);
  await syncPath(dirname(current));
}

/** Keeps the generation in force and the newest ones before it. */
async function prune(folder: string, inForce: string): Promise<void> {
  const names = (await readdir(folder)).filter((name) => /^\d+(\.\d+)?$/.test(name) && name !== inForce);
  const ages = await Promise.all(
    names.map(async (name) => ({ name, atMs: (await lstat(join(folder, name))).ctimeMs })),
  );
  const dropped = ages.sort((left, right) => right.atMs - left.atMs).slice(limits.agentGenerationsKeptMax);
  for (const { name } of dropped) {
    await rm(join(folder, name), { recursive: true, force: true });
    await rm(join(folder, `${name}.json`), { force: true });
  }
}
