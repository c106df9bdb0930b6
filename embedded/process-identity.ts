import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

/** A process that may be gone by now: its id and when it began, because the system gives ids again. */
export interface ProcessIdentity {
  pid: number;
  startTime: string;
}

const pollMs = 20;

/** When the process began, in a form that is only good for comparing; null when it is gone or a zombie. */
export function startTimeOf(pid: number): string | null {
  return process.platform === "linux" ? linuxStartTime(pid) : portableStartTime(pid);
}

/** True while that very process runs. */
export function isAlive(identity: ProcessIdentity): boolean {
  return startTimeOf(identity.pid) === identity.startTime;
}

/** The identity of this process. */
export function ownIdentity(): ProcessIdentity {
  return { pid: process.pid, startTime: startTimeOf(process.pid) ?? "unknown" };
}

/** Waits until the process is gone; false when it still runs after `timeoutMs`. */
export async function waitUntilGone(identity: ProcessIdentity, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (isAlive(identity)) {
    if (performance.now() > deadline) return false;
    await delay(pollMs);
  }
  return true;
}

/** Asks a process to end, and after `graceMs` ends it and its group by force. Does nothing when it is gone. */
export async function endProcess(identity: ProcessIdentity, graceMs: number): Promise<void> {
  if (!isAlive(identity)) return;
  sendSignal(identity.pid, "SIGTERM");
  if (await waitUntilGone(identity, graceMs)) return;
  killGroup(identity.pid);
  await waitUntilGone(identity, graceMs);
}

/** Ends a group leader and all that it started in its group at once. */
export function killGroup(pid: number): void {
  if (!sendSignal(-pid, "SIGKILL")) sendSignal(pid, "SIGKILL");
}

/** Sends a signal; false when nobody has that id. */
export function sendSignal(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ESRCH") return false;
    throw error;
  }
}

function linuxStartTime(pid: number): string | null {
  const stat = readOrNull(`/proc/${pid}/stat`);
  if (stat === null) return null;
  // The name in parentheses may hold blanks: fields are counted from behind it (state is the third, start the 22nd).
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  if (fields[0] === "Z" || fields[0] === "X") return null;
  const boot = readOrNull("/proc/sys/kernel/random/boot_id")?.slice(0, 8) ?? "boot";
  return `${boot}-${fields[19]}`;
}

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}

/** `startTimeOf` by way of `ps`, for systems without a process file system. */
export function portableStartTime(pid: number): string | null {
  try {
    const line = execFileSync("ps", ["-o", "stat=,lstart=", "-p", String(pid)], { encoding: "utf8" }).trim();
    const [state, ...started] = line.split(/\s+/);
    return state === undefined || state.startsWith("Z") ? null : started.join(" ");
  } catch {
    return null;
  }
}
