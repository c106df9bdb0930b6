import { randomUUID } from "node:crypto";
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { z } from "zod";
import { ForewarmError, invariant } from "../domain/errors.ts";
import { limits } from "../domain/limits.ts";
import { isAlive, ownIdentity, type ProcessIdentity } from "./process-identity.ts";

const ownerSchema = z.object({ pid: z.number().int().positive(), startTime: z.string(), token: z.string() });
type LockOwner = z.infer<typeof ownerSchema>;

export interface HomeLock {
  release(): void;
}

/**
 * Takes the lock file for this process; a lock whose owner is gone is taken over.
 * Throws HOME_IN_USE naming the owner's pid.
 */
export function takeLock(path: string): HomeLock {
  const mine = { ...ownIdentity(), token: randomUUID() };
  claim(path, mine);
  return { release: () => release(path, mine.token) };
}

/** The process that holds the lock and runs, or null. */
export function lockHolder(path: string): ProcessIdentity | null {
  const owner = readOwner(path);
  return owner !== null && isAlive(owner) ? { pid: owner.pid, startTime: owner.startTime } : null;
}

function claim(path: string, mine: LockOwner): void {
  const draft = `${path}.${mine.token}`;
  writeFileSync(draft, JSON.stringify(mine), { mode: 0o600 });
  try {
    for (let attempt = 0; attempt < limits.homeLockAttemptsMax; attempt += 1) {
      if (linked(draft, path) || takenOver({ draft, path, mine })) return;
    }
    invariant(false, `lock ${path} changed hands ${limits.homeLockAttemptsMax} times while it was being taken`);
  } finally {
    rmSync(draft, { force: true });
  }
}

function linked(draft: string, path: string): boolean {
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
}

// Two processes may find the same stale lock. Only the one that holds the lock named after the stale owner may
// replace it, and it looks again first: the other may have been quicker.
function takenOver({ draft, path, mine }: { draft: string; path: string; mine: LockOwner }): boolean {
  const owner = readOwner(path);
  if (owner === null) return false;
  if (isAlive(owner)) throw heldBy(path, owner);
  const guard = `${path}.after-${owner.token}`;
  claim(guard, mine);
  try {
    if (readOwner(path)?.token !== owner.token) return false;
    renameSync(draft, path);
    return true;
  } finally {
    release(guard, mine.token);
  }
}

function release(path: string, token: string): void {
  if (readOwner(path)?.token === token) rmSync(path, { force: true });
}

// Content that is no owner (a full disk, a power cut) counts as a stale lock.
function readOwner(path: string): LockOwner | null {
  try {
    return ownerSchema.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    return { pid: 0x7fffffff, startTime: "unreadable", token: "unreadable" };
  }
}

function heldBy(path: string, owner: LockOwner): ForewarmError {
  return new ForewarmError("HOME_IN_USE", `process ${owner.pid} holds this home (${path})`);
}
