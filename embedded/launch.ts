import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, openSync, rmSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { ForewarmError } from "../domain/errors.ts";
import type { Environment } from "./config.ts";
import type { Command } from "./entries.ts";
import { killGroup, sendSignal, startTimeOf, type ProcessIdentity } from "./process-identity.ts";
import { followLines, logEnd, logTail } from "./process-log.ts";

const readyLineSchema = z.looseObject({ ready: z.literal(true) });
/** The line with which a process says that it is ready, with whatever else it tells. */
export type ReadyLine = z.infer<typeof readyLineSchema>;

export interface ProcessSpec extends Command {
  name: string;
  environment: Environment;
  directory: string;
  /** Takes standard output and standard error; appended to, so that it outlives supervisor and process. */
  logFile: string;
  /** A Unix socket that the process binds; what a killed predecessor left there is removed first. */
  socket?: string;
  /** Settles when the process serves. Without it, readiness is a JSON line `{"ready":true,…}` on standard output. */
  probe?: (signal: AbortSignal) => Promise<void>;
  /** Runs before the process is asked to end; its failure is reported and changes nothing. */
  beforeStop?: () => Promise<void>;
  readyDeadlineMs: number;
  stopGraceMs: number;
  /** False keeps the process in the caller's group, so that a Ctrl-C in the terminal reaches it too. */
  ownGroup: boolean;
}

export interface LaunchedProcess {
  identity: ProcessIdentity;
  /** Length of the log before the process wrote to it. */
  logStart: number;
  /** Settles with a sentence on how it ended; never rejects. */
  exited: Promise<string>;
  hasExited(): boolean;
}

const pollMs = 20;

/** Starts a process whose output goes straight to its log file. Throws COMMAND_FAILED when it cannot be started. */
export async function launch(spec: ProcessSpec): Promise<LaunchedProcess> {
  if (spec.socket !== undefined) rmSync(spec.socket, { force: true });
  const logStart = logEnd(spec.logFile);
  const log = openSync(spec.logFile, "a", 0o600);
  try {
    const child = spawn(spec.command, spec.args, {
      cwd: spec.directory,
      env: { ...spec.environment },
      detached: spec.ownGroup,
      stdio: ["ignore", log, log],
    });
    return { logStart, ...(await watch(spec, child)) };
  } finally {
    closeSync(log);
  }
}

async function watch(spec: ProcessSpec, child: ChildProcess): Promise<Omit<LaunchedProcess, "logStart">> {
  let ended = false;
  const exited = new Promise<string>((resolve) => {
    child.once("exit", (code, signal) => {
      ended = true;
      resolve(signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`);
    });
  });
  const { pid } = child;
  if (pid === undefined) throw await spawnFailure(spec, child);
  return { identity: { pid, startTime: startTimeOf(pid) ?? "gone" }, exited, hasExited: () => ended };
}

async function spawnFailure(spec: ProcessSpec, child: ChildProcess): Promise<ForewarmError> {
  const cause = await new Promise((resolve) => child.once("error", resolve));
  return new ForewarmError("COMMAND_FAILED", `${spec.name} could not be started from ${spec.command}`, { cause });
}

/**
 * Waits until a launched process is ready.
 * Throws COMMAND_FAILED when it ends first, COMMAND_TIMED_OUT after its deadline, CANCELLED when `signal` fires.
 */
export async function awaitReady(
  spec: ProcessSpec,
  launched: LaunchedProcess,
  signal: AbortSignal,
): Promise<ReadyLine> {
  const settled = new AbortController();
  const deadline = AbortSignal.timeout(spec.readyDeadlineMs);
  const waiting = AbortSignal.any([settled.signal, signal, deadline]);
  const ended = launched.exited.then((how) => {
    throw startFailure({ spec, launched, how });
  });
  try {
    return await Promise.race([becomesReady(spec, launched, waiting), ended]);
  } catch (error) {
    if (signal.aborted) throw new ForewarmError("CANCELLED", `start of ${spec.name} was cancelled`, { cause: error });
    if (deadline.aborted) throw deadlineFailure({ spec, launched });
    throw error;
  } finally {
    settled.abort();
    ended.catch(() => undefined);
  }
}

/** Asks a launched process to end, and ends it by force after its grace time. */
export async function stopLaunched(spec: ProcessSpec, launched: LaunchedProcess): Promise<void> {
  if (launched.hasExited()) return;
  sendSignal(launched.identity.pid, "SIGTERM");
  const grace = new AbortController();
  const timedOut = delay(spec.stopGraceMs, "late" as const, { signal: grace.signal }).catch(() => "cancelled" as const);
  const first = await Promise.race([launched.exited, timedOut]);
  if (first === "late") forceEnd(spec, launched);
  grace.abort();
  await launched.exited;
}

/** Ends a launched process at once. */
export function forceEnd(spec: ProcessSpec, launched: LaunchedProcess): void {
  if (launched.hasExited()) return;
  if (spec.ownGroup) killGroup(launched.identity.pid);
  else sendSignal(launched.identity.pid, "SIGKILL");
}

async function becomesReady(spec: ProcessSpec, launched: LaunchedProcess, signal: AbortSignal): Promise<ReadyLine> {
  if (spec.probe === undefined) return readyLine(spec, launched, signal);
  await spec.probe(signal);
  return { ready: true };
}

async function readyLine(spec: ProcessSpec, launched: LaunchedProcess, signal: AbortSignal): Promise<ReadyLine> {
  const newLines = followLines(spec.logFile, launched.logStart);
  for (;;) {
    for (const line of newLines()) {
      const ready = parseReadyLine(line);
      if (ready !== null) return ready;
    }
    await delay(pollMs, undefined, { signal });
  }
}

function parseReadyLine(line: string): ReadyLine | null {
  if (!line.startsWith("{") || !line.includes('"ready"')) return null;
  try {
    return readyLineSchema.safeParse(JSON.parse(line)).data ?? null;
  } catch {
    return null;
  }
}

interface StartAttempt {
  spec: ProcessSpec;
  launched: LaunchedProcess;
}

function startFailure({ spec, launched, how }: StartAttempt & { how: string }): ForewarmError {
  const tail = logTail(spec.logFile, { start: launched.logStart });
  return new ForewarmError("COMMAND_FAILED", `${spec.name} ${how} before it was ready\n${tail}`, {
    cure: `Read ${spec.logFile} and mend the cause.`,
  });
}

function deadlineFailure({ spec, launched }: StartAttempt): ForewarmError {
  const tail = logTail(spec.logFile, { start: launched.logStart });
  const seconds = spec.readyDeadlineMs / 1000;
  return new ForewarmError("COMMAND_TIMED_OUT", `${spec.name} was not ready within ${seconds} s\n${tail}`, {
    cure: `Read ${spec.logFile} and mend the cause.`,
  });
}
