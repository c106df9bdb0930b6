import { spawn } from "node:child_process";
import type { ChildProcess, ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import type { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { ForewarmError } from "../../../domain/errors.ts";
import { hostMarker, infoDescriptor, initCommand, initMarker, shellCommand, upDescriptor } from "./isolation.ts";
import type { HostSpace, IsolationMode } from "./isolation.ts";
import { isAlive, listProcesses, pidNamespace, pidsWithMarker, readProcess, sendSignal } from "./process-table.ts";
import type { ProcessId, ProcessRow } from "./process-table.ts";

/** What tells the processes of one host from all others. */
export interface HostProcesses {
  machineId: string;
  init: ProcessId | null;
}

const infoSchema = z.object({ "child-pid": z.number().int() });
const killDeadlineMs = 10_000;
const pollMs = 20;

function spawned(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", (error) =>
      reject(new ForewarmError("INVARIANT", "a host process cannot be started", { cause: error })),
    );
  });
}

async function readAll(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString("utf8");
}

function identify(pid: number | undefined): ProcessId {
  const row = pid === undefined ? null : readProcess(pid);
  if (!row) throw new ForewarmError("INVARIANT", "the first process of a host ended at once");
  return { pid: row.pid, startedAt: row.startedAt };
}

/** The output of a child at one of its further descriptors. */
function readableAt(child: ChildProcess, descriptor: number): Readable | null {
  const stream = child.stdio[descriptor];
  return stream && "read" in stream ? stream : null;
}

/** Waits until the walls of a host stand and answers its first process, as seen from outside. */
async function initInside(info: Readable, up: Readable): Promise<ProcessId> {
  const text = await readAll(info);
  const [first] = await Promise.race([once(up, "data"), once(up, "end")]);
  up.destroy();
  if (first === undefined) throw new ForewarmError("INVARIANT", "bwrap ended before the host was up");
  return identify(infoSchema.parse(JSON.parse(text))["child-pid"]);
}

/** Starts the first process of a host, in its own session, so that it outlives the rack. */
export async function startInit(mode: IsolationMode, space: HostSpace, logPath: string): Promise<ProcessId> {
  const { file, args, cwd, env } = initCommand(mode, space);
  const log = openSync(logPath, "a");
  const pipes = mode === "bwrap" ? (["pipe", "pipe"] as const) : [];
  const child = spawn(file, args, { cwd, env, detached: true, stdio: ["ignore", log, log, ...pipes] });
  closeSync(log);
  await spawned(child);
  child.unref();
  const info = readableAt(child, infoDescriptor);
  const up = readableAt(child, upDescriptor);
  return info && up ? initInside(info, up) : identify(child.pid);
}

/** How a running host is kept apart; an earlier rack may have been told otherwise than this one. */
function isolationOf(init: ProcessId): IsolationMode {
  return pidNamespace(init.pid) === pidNamespace(process.pid) ? "none" : "bwrap";
}

/** Runs a shell command in a host as the leader of a new session and process group. */
export function spawnInHost(space: HostSpace, init: ProcessId, command: string): ChildProcessWithoutNullStreams {
  const { file, args, cwd, env } = shellCommand(isolationOf(init), space, { initPid: init.pid, command });
  return spawn(file, args, { cwd, env, detached: true, stdio: "pipe" });
}

function withDescendants(rows: ProcessRow[], roots: Set<number>): Set<number> {
  const children = new Map<number, number[]>();
  for (const row of rows) children.set(row.parentPid, [...(children.get(row.parentPid) ?? []), row.pid]);
  const found = new Set(roots);
  for (const pid of found) for (const child of children.get(pid) ?? []) found.add(child);
  return found;
}

/** The processes whose origin in the host is certain: marked ones and those in its pid namespace. */
function rootPids(rows: ProcessRow[], host: HostProcesses): Set<number> {
  const found = pidsWithMarker(rows, hostMarker(host.machineId));
  if (!host.init || !isAlive(host.init)) return found;
  found.add(host.init.pid);
  const inside = pidNamespace(host.init.pid);
  if (inside === null || inside === pidNamespace(process.pid)) return found;
  for (const row of rows) if (pidNamespace(row.pid) === inside) found.add(row.pid);
  return found;
}

/** Pids of a host's living processes: by environment, by namespace, and their descendants. */
export function hostPids(host: HostProcesses): number[] {
  const rows = listProcesses().filter((row) => !row.zombie);
  const found = withDescendants(rows, rootPids(rows, host));
  found.delete(process.pid);
  return [...found];
}

export function signalHost(host: HostProcesses, signal: NodeJS.Signals): void {
  for (const pid of hostPids(host)) sendSignal(pid, signal);
}

/** Cuts the power: every process of the host is killed. Throws PROVIDER_UNREACHABLE when one will not go. */
export async function killHost(host: HostProcesses): Promise<void> {
  const end = performance.now() + killDeadlineMs;
  for (let pids = hostPids(host); pids.length > 0; pids = hostPids(host)) {
    for (const pid of pids) sendSignal(pid, "SIGKILL");
    if (performance.now() > end)
      throw new ForewarmError("PROVIDER_UNREACHABLE", `processes of ${host.machineId} do not end: ${pids.join(" ")}`);
    await delay(pollMs);
  }
}

/** Pids of what was started in a host after its boot. */
function workloadPids(host: HostProcesses): number[] {
  const init = pidsWithMarker(listProcesses(), initMarker);
  return hostPids(host).filter((pid) => !init.has(pid));
}

/** Asks the host's processes to end, waits at most `graceMs`, then kills what is left. */
export async function shutDownHost(host: HostProcesses, graceMs: number): Promise<void> {
  const end = performance.now() + graceMs;
  for (const pid of workloadPids(host)) sendSignal(pid, "SIGTERM");
  while (workloadPids(host).length > 0 && performance.now() < end) await delay(pollMs);
  await killHost(host);
}
