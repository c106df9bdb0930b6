import { appendFile, mkdir, open, readFile, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { limits } from "../../../domain/limits.ts";

/** Appends a line to a console; a console many times longer than what can be read of it is cut. */
export async function writeConsole(path: string, atMs: number, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await appendFile(path, `[${new Date(atMs).toISOString()}] ${text.trimEnd()}\n`);
  const { size } = await stat(path);
  if (size > 16 * limits.rackConsoleBytesMax)
    await writeFile(path, (await readFile(path)).subarray(-limits.rackConsoleBytesMax));
}

/** The end of a console; empty when nothing was ever written. */
export async function readConsole(path: string): Promise<string> {
  const file = await open(path, "r").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return null;
    throw error;
  });
  if (!file) return "";
  try {
    const { size } = await file.stat();
    const start = Math.max(0, size - limits.rackConsoleBytesMax);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(size - start), 0, size - start, start);
    return buffer.subarray(0, bytesRead).toString("utf8");
  } finally {
    await file.close();
  }
}
