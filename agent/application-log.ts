import { copyFileSync, openSync, statSync, truncateSync } from "node:fs";
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

/** Moves a log's content to `<path>.1` once it exceeds the bound; its writer keeps its descriptor. */
export function rotateLog(path: string): void {
  const status = statSync(path, { throwIfNoEntry: false });
  if (status === undefined || status.size <= limits.agentLogBytesMax) return;
  copyFileSync(path, `${path}.1`);
  truncateSync(path, 0);
}
