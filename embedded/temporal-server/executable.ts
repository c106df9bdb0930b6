import { execFile } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { chmod, rename } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import type { RungContext, RungOutcome } from "./rung.ts";

const run = promisify(execFile);
const versionTimeoutMs = 10_000;

/** Where the CLI is kept in our cache folder. */
export function cachedExecutable(cacheFolder: string): string {
  return join(cacheFolder, "temporal");
}

/** Takes an executable that answers `--version` as the Temporal CLI does, else says what is wrong with it. */
export async function tryExecutable(path: string, { environment, signal }: RungContext): Promise<RungOutcome> {
  if (!isExecutableFile(path)) return { said: `${path} is not an executable file` };
  try {
    const { stdout } = await run(path, ["--version"], { timeout: versionTimeoutMs, env: { ...environment }, signal });
    if (!stdout.startsWith("temporal version")) return { said: `${path} is not the Temporal CLI` };
    return { server: { kind: "executable", path, version: stdout.trim() } };
  } catch (error) {
    signal.throwIfAborted();
    return { said: `${path} does not run: ${firstLine(error)}` };
  }
}

/** Moves a new executable to its place in the cache at once, after it has answered. */
export async function adopt(path: string, context: RungContext): Promise<RungOutcome> {
  await chmod(path, 0o755);
  const outcome = await tryExecutable(path, context);
  if ("said" in outcome || outcome.server.kind !== "executable") return outcome;
  const place = cachedExecutable(context.cacheFolder);
  await rename(path, place);
  return { server: { ...outcome.server, path: place } };
}

/** First executable of that name on the PATH, or null. */
export function findOnPath(name: string, path: string | undefined): string | null {
  const folders = (path ?? "").split(delimiter).filter((folder) => folder !== "");
  return folders.map((folder) => join(folder, name)).find(isExecutableFile) ?? null;
}

/** What an error says first, for a list with one line for each attempt. */
export function firstLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.split("\n", 1)[0] ?? message;
}

function isExecutableFile(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
