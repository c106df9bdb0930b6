import { randomUUID } from "node:crypto";
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { ForewarmError } from "../../../domain/errors.ts";
import { processStart } from "./process-identity.ts";

const attemptsMax = 20;

const ownerSchema = z.object({
  pid: z.number().int().positive(),
  processStart: z.string().nullable(),
  token: z.string(),
});
type Owner = z.infer<typeof ownerSchema>;

export interface OwnerLock {
  release(): void;
}

interface LockOptions {
  directory: string;
  /** Called with the pid of the dead owner whose lock is taken over. */
  onTakeover: (pid: number) => void;
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

/** The owner named in a lock file; null when there is no file. An unreadable file has no living owner. */
function readOwner(path: string): Owner | "unreadable" | null {
  try {
    return ownerSchema.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch (error) {
    return codeOf(error) === "ENOENT" ? null : "unreadable";
  }
}

function lives(owner: Owner): boolean {
  const start = processStart(owner.pid);
  return start !== null && start === owner.processStart;
}

/** A link appears whole or not at all, and fails when the name is taken. */
function linkAs(source: string, target: string): boolean {
  try {
    linkSync(source, target);
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    throw error;
  }
}

/** Moves a dead owner's lock out of the way. Should another process have renewed it meanwhile, it is put back. */
function removeStale(lockPath: string, stale: Owner | "unreadable"): void {
  const aside = `${lockPath}.${randomUUID()}`;
  try {
    renameSync(lockPath, aside);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return;
    throw error;
  }
  const moved = readOwner(aside);
  const same = JSON.stringify(moved) === JSON.stringify(stale);
  if (!same) linkAs(aside, lockPath);
  rmSync(aside, { force: true });
}

function lockedBy(directory: string, owner: Owner): ForewarmError {
  const who = owner.pid === process.pid ? `this process (pid ${owner.pid})` : `process ${owner.pid}`;
  return new ForewarmError(
    "STORE_LOCKED",
    `the embedded store in ${directory} is open in ${who}; stop it, or set DATABASE_URL so that workers share a Postgres`,
  );
}

/**
 * Makes this process the only owner of a folder. PGlite itself lets two processes open one folder, and both lose rows.
 * The lock names the pid and the start of its process, so that a lock left by a dead one is known and taken over.
 * Errors: STORE_LOCKED.
 */
export function acquireOwnerLock({ directory, onTakeover }: LockOptions): OwnerLock {
  const lockPath = join(directory, "owner.json");
  const owner: Owner = { pid: process.pid, processStart: processStart(process.pid), token: randomUUID() };
  const ownPath = `${lockPath}.${owner.token}`;
  writeFileSync(ownPath, JSON.stringify(owner), { mode: 0o600 });
  try {
    for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
      if (linkAs(ownPath, lockPath)) return { release: () => releaseLock(lockPath, owner) };
      const holder = readOwner(lockPath);
      if (holder === null) continue;
      if (holder !== "unreadable" && lives(holder)) throw lockedBy(directory, holder);
      if (holder !== "unreadable") onTakeover(holder.pid);
      removeStale(lockPath, holder);
    }
  } finally {
    rmSync(ownPath, { force: true });
  }
  throw new ForewarmError(
    "STORE_LOCKED",
    `the lock ${lockPath} changes hands too often; is something else writing it?`,
  );
}

function releaseLock(lockPath: string, owner: Owner): void {
  const holder = readOwner(lockPath);
  if (holder !== null && holder !== "unreadable" && holder.token === owner.token) rmSync(lockPath, { force: true });
}
