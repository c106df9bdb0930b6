import { existsSync } from "node:fs";
import { appendFile, open, readFile, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { Logger } from "pino";
import { limits } from "../../../domain/limits.ts";
import { createSerial } from "./serial.ts";

/** Appends a line to a console; a console many times longer than what can be read of it is cut. */
async function writeConsole(path: string, atMs: number, text: string): Promise<void> {
  await appendFile(path, `[${new Date(atMs).toISOString()}] ${text.trimEnd()}\n`);
  const { size } = await stat(path);
  if (size > 16 * limits.rackConsoleBytesMax)
    await writeFile(path, (await readFile(path)).subarray(-limits.rackConsoleBytesMax));
}

/** Writes lines to a host's console in the order they are said; once the host's folder is gone, to nobody. */
export function consoleWriter(path: string, context: { nowMs(): number; log: Logger }): (text: string) => void {
  const lines = createSerial();
  const folder = dirname(path);
  return (text) => {
    const atMs = context.nowMs();
    const write = async () => {
      if (existsSync(folder)) await writeConsole(path, atMs, text);
    };
    lines.run(write).catch((error: unknown) => context.log.warn({ err: error, path }, "console not written"));
  };
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
