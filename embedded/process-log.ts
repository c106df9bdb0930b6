import { closeSync, copyFileSync, openSync, readSync, statSync, truncateSync } from "node:fs";
import { limits } from "../domain/limits.ts";

const chunkBytes = 64 * 1024;

/** Length of the log now; what a process writes after its start lies behind it. */
export function logEnd(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

/** The last bytes of a log, from `start` on, as text for an error message. */
export function logTail(path: string, { start = 0, bytesMax = 2000 } = {}): string {
  const end = logEnd(path);
  return readRange(path, Math.max(start, end - bytesMax), end)
    .toString("utf8")
    .trim();
}

/**
 * Keeps a log that a process appends to within `processLogBytesMax`: the old lines move to `<path>.1`.
 * The file itself stays, because the process holds it open.
 */
export function boundLog(path: string): void {
  if (logEnd(path) <= limits.processLogBytesMax) return;
  try {
    copyFileSync(path, `${path}.1`);
  } finally {
    // Without room for the copy, the old lines are what has to go.
    truncateSync(path, 0);
  }
}

/** Reads the lines appended to a log since the last call, without holding the file open. */
export function followLines(path: string, start: number): () => string[] {
  let position = start;
  let rest = Buffer.alloc(0);
  return () => {
    const chunk = readRange(path, position, Math.min(logEnd(path), position + chunkBytes));
    position += chunk.length;
    const text = Buffer.concat([rest, chunk]);
    const cut = text.lastIndexOf(0x0a) + 1;
    rest = text.subarray(cut);
    return text.subarray(0, cut).toString("utf8").split("\n").slice(0, -1);
  };
}

function readRange(path: string, from: number, to: number): Buffer {
  if (to <= from) return Buffer.alloc(0);
  const file = openSync(path, "r");
  try {
    const buffer = Buffer.alloc(to - from);
    return buffer.subarray(0, readSync(file, buffer, 0, buffer.length, from));
  } finally {
    closeSync(file);
  }
}
