import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { readEmbeddedConfig } from "./config.ts";
import { chooseSockets, homePaths, removeSockets } from "./home.ts";
import { lockHolder, takeLock } from "./home-lock.ts";
import { endProcess, isAlive, killGroup, sendSignal, waitUntilGone } from "./process-identity.ts";
import { awaitReady, launch, stopLaunched } from "./launch.ts";
import { powerOffHosts, readHostsMark, type RackMark } from "./rack-hosts.ts";
import { rackSpec } from "./stack-stages.ts";
import { readJournal, removeJournal } from "./stack-state.ts";

const orphanGraceMs = 5_000;

/** How `stopHome` found a home: nothing ran, its supervisor was asked to stop, or only orphans were left. */
export type StopOutcome =
  | { kind: "idle" }
  | { kind: "stopped"; pid: number; forced: boolean }
  | { kind: "orphans"; names: string[] };

/**
 * Stops the stack of a home and waits until all its processes are gone.
 * A supervisor that does not stop within `deadlineMs` is ended by force, and its processes after it.
 */
export async function stopHome(home: string, deadlineMs: number): Promise<StopOutcome> {
  const paths = homePaths(home);
  if (!existsSync(dirname(paths.lock))) return { kind: "idle" };
  const holder = lockHolder(paths.lock);
  if (holder === null) return endLeftovers(home);
  sendSignal(holder.pid, "SIGTERM");
  const forced = !(await waitUntilGone(holder, deadlineMs));
  if (forced) killGroup(holder.pid);
  await waitUntilGone(holder, deadlineMs);
  await endLeftovers(home);
  return { kind: "stopped", pid: holder.pid, forced };
}

/** Ends the processes that a supervisor which is gone left running, last started first. Needs the home's lock. */
export async function endOrphans(home: string): Promise<string[]> {
  const orphans = (readJournal(home)?.processes ?? []).filter(isAlive).reverse();
  for (const orphan of orphans) await endProcess(orphan, orphanGraceMs);
  removeJournal(home);
  return orphans.map(({ name }) => name);
}

async function endLeftovers(home: string): Promise<StopOutcome> {
  const lock = takeLock(homePaths(home).lock);
  try {
    const names = await endOrphans(home);
    const mark = readHostsMark(home);
    if (mark !== null) {
      await powerOffLeftHosts(home, mark);
      names.push("hosts");
    }
    return names.length === 0 ? { kind: "idle" } : { kind: "orphans", names };
  } finally {
    lock.release();
  }
}

// Only the rack knows which processes are hosts: it takes them over once more, to power them off.
async function powerOffLeftHosts(home: string, { isolation, addresses, entry }: RackMark): Promise<void> {
  const paths = homePaths(home);
  const sockets = chooseSockets(home);
  const { environment } = readEmbeddedConfig();
  const spec = rackSpec({ paths, sockets, environment, isolation, addresses, entries: { rack: entry } });
  const rack = await launch(spec);
  try {
    await awaitReady(spec, rack, new AbortController().signal);
    await powerOffHosts(home, sockets.rack);
  } finally {
    await stopLaunched(spec, rack);
    removeSockets(home, sockets);
  }
}
