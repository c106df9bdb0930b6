import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ForewarmError } from "../domain/errors.ts";
import { identifyProcess, isRunning } from "./process-identity.ts";

/**
 * Makes this process the only daemon of a state folder; returns the release. Throws HOME_IN_USE naming the pid
 * that holds it. A lock whose process is gone is taken over.
 */
export function lockState(stateFolder: string): () => void {
  const lock = join(stateFolder, "agent.lock");
  const mine = `${lock}.${process.pid}`;
  writeFileSync(mine, JSON.stringify(identifyProcess(process.pid)));
  try {
    for (let attempt = 0; attempt < 3; attempt += 1) {
      if (tryLink(mine, lock)) return () => rmSync(lock, { force: true });
      removeStale(lock, mine);
    }
  } finally {
    rmSync(mine, { force: true });
  }
  throw new ForewarmError("HOME_IN_USE", `${stateFolder}: several agents start at once`);
}

function tryLink(mine: string, lock: string): boolean {
  try {
    linkSync(mine, lock);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
}

/** Moves the lock aside by one rename, so that of two agents only one removes it. */
function removeStale(lock: string, mine: string): void {
  const holder = readHolder(lock);
  if (holder !== null && isRunning(holder)) {
    throw new ForewarmError("HOME_IN_USE", `an agent with pid ${holder.pid} holds ${lock}`);
  }
  try {
    renameSync(lock, `${mine}.stale`);
  } catch {
    return;
  }
  const removed = readHolder(`${mine}.stale`);
  if (removed !== null && isRunning(removed)) tryLink(`${mine}.stale`, lock);
  rmSync(`${mine}.stale`, { force: true });
}

function readHolder(path: string): { pid: number; startTime: string | null } | null {
  try {
    const holder: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (typeof holder !== "object" || holder === null || !("pid" in holder) || !("startTime" in holder)) return null;
    const { pid, startTime } = holder;
    if (typeof pid !== "number") return null;
    return { pid, startTime: typeof startTime === "string" ? startTime : null };
  } catch {
    return null;
  }
}
