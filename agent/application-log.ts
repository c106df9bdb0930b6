import { closeSync, openSync, readSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { limits } from "../domain/limits.ts";

/** Path of the log that an application's output is appended to. */
export function logPath(stateFolder: string, application: string): string {
  return join(stateFolder, "logs", `${application}.log`);
}

/** Opens a log for appending, so that cutting it short never leaves a hole in it. */
export function openLog(path: string): number {
  return openSync(path, "a", 0o600);
}

/** Moves the end of a log that exceeds its bound to `<path>.1`; its writer keeps its descriptor and starts anew. */
export function rotateLog(path: string): void {
  const bytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (bytes <= limits.agentLogBytesMax) return;
  const end = Buffer.alloc(limits.agentLogBytesMax);
  const log = openSync(path, "r");
  try {
    const read = readSync(log, end, 0, end.length, bytes - end.length);
    writeFileSync(`${path}.1`, end.subarray(0, read), { mode: 0o600 });
  } finally {
    closeSync(log);
  }
  truncateSync(path, 0);
}
