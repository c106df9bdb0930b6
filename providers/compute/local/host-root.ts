import { createHash } from "node:crypto";
import { constants, existsSync } from "node:fs";
import { chmod, cp, mkdir, rename, rm, rmdir, stat, symlink, writeFile, lstat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ForewarmError } from "../../../domain/errors.ts";
import { limits } from "../../../domain/limits.ts";

/** Folders every host has, whatever its image brings. */
const ownFolders = ["etc", "home/forewarm", "opt", "root", "run", "srv", "tmp", "var/lib", "var/log", "var/tmp"];

/** Room left below a host's root for the path of a Unix socket, such as /var/lib/forewarm/agent.sock. */
const socketRoom = 36;

/** The host's login user sees itself as root of its own machine. */
const passwd = "root:x:0:0:root:/root:/bin/sh\nforewarm:x:0:0:forewarm:/home/forewarm:/bin/sh\n";

export function hostFolder(home: string, machineId: string): string {
  return join(home, "hosts", machineId);
}

export function rootFolder(home: string, machineId: string): string {
  return join(hostFolder(home, machineId), "root");
}

export function consolePath(home: string, machineId: string): string {
  return join(hostFolder(home, machineId), "console.log");
}

/** Throws INVALID_REQUEST when an image is not a readable folder. */
export async function checkImage(image: string): Promise<void> {
  const found = await stat(image).catch(() => null);
  if (found?.isDirectory()) return;
  throw new ForewarmError("INVALID_REQUEST", `image ${image} is not a folder`);
}

/** Gives a host its root folder, a copy of the image that shares blocks where the file system can; once made it stays. */
export async function createRoot(image: string, root: string): Promise<void> {
  if (existsSync(root)) return;
  const partial = `${root}.partial`;
  await rm(partial, { recursive: true, force: true });
  const keep = { recursive: true, preserveTimestamps: true, verbatimSymlinks: true, mode: constants.COPYFILE_FICLONE };
  await cp(join(image, "."), partial, keep);
  await completeRoot(partial);
  await rename(partial, root);
}

/** Adds what every host has and an image may leave out. */
export async function completeRoot(root: string): Promise<void> {
  for (const folder of ownFolders) await mkdir(join(root, folder), { recursive: true });
  await chmod(join(root, "tmp"), 0o1777);
  await writeUnlessThere(join(root, "etc/passwd"), passwd);
  await writeUnlessThere(join(root, "etc/group"), "root:x:0:\n");
}

async function writeUnlessThere(path: string, text: string): Promise<void> {
  if (!existsSync(path)) await writeFile(path, text);
}

/** Folder of the short links of one rack: the same after every start, since hosts go on using them. */
function linkFolder(home: string): string {
  const base = tmpdir().length <= 20 ? tmpdir() : "/tmp";
  return join(base, `fw-${createHash("sha256").update(home).digest("hex").slice(0, 10)}`);
}

/** Makes the folder of short links; throws UNAUTHORIZED when somebody else has put a thing of that name there. */
async function makeLinkFolder(folder: string): Promise<void> {
  await mkdir(folder, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EEXIST") throw error;
  });
  const found = await lstat(folder);
  if (found.isDirectory() && found.uid === process.getuid?.()) return;
  throw new ForewarmError("UNAUTHORIZED", `${folder} belongs to somebody else`);
}

/** Whether Unix sockets below a root have a short enough path. */
function isShort(root: string): boolean {
  return Buffer.byteLength(root) + socketRoom <= limits.socketPathBytesMax;
}

/** The path by which a host's root is used: the root itself, or a short link to it where that is too long for sockets. */
export function usedRoot(home: string, machineId: string): string {
  const root = rootFolder(home, machineId);
  return isShort(root) ? root : join(linkFolder(home), machineId);
}

/** Makes the link of `usedRoot` where one is needed; it may be lost with the folder for temporary files. */
export async function linkRoot(home: string, machineId: string): Promise<void> {
  const root = rootFolder(home, machineId);
  if (isShort(root)) return;
  await makeLinkFolder(linkFolder(home));
  const link = join(linkFolder(home), machineId);
  await rm(link, { force: true });
  await symlink(root, link);
}

/** Removes all that a host had on disk. */
export async function removeHost(home: string, machineId: string): Promise<void> {
  await rm(hostFolder(home, machineId), { recursive: true, force: true, maxRetries: 5 });
  await rm(join(linkFolder(home), machineId), { force: true });
  // Goes with the last link; while other hosts have theirs it is not empty.
  await rmdir(linkFolder(home)).catch(() => {});
}
