import { readFileSync } from "node:fs";

/** A process by pid and start time, so that a recycled pid is not taken for it. */
export interface ProcessIdentity {
  pid: number;
  /** Clock ticks since boot, from /proc; null where there is no /proc. */
  startTime: string | null;
}

/** The identity of a process that runs now; null when there is none, or only a zombie. */
export function identifyProcess(pid: number): ProcessIdentity | null {
  const status = readStatus(pid);
  if (status === "unknown") return isSignalable(pid) ? { pid, startTime: null } : null;
  return status === null || status.state === "Z" ? null : { pid, startTime: status.startTime };
}

/** Whether exactly this process still runs. */
export function isRunning(identity: ProcessIdentity): boolean {
  const found = identifyProcess(identity.pid);
  return found !== null && (identity.startTime === null || found.startTime === identity.startTime);
}

/** Signals a whole process group; false when there is none any more. */
export function signalGroup(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(-pid, signal);
    return true;
  } catch {
    return false;
  }
}

function readStatus(pid: number): { state: string; startTime: string } | null | "unknown" {
  const text = readProcFile(`/proc/${pid}/stat`);
  if (text === null) return readProcFile("/proc/self/stat") === null ? "unknown" : null;
  // The second field is the program's name in brackets and may hold spaces; state is field 3, start time field 22.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return { state: fields[0] ?? "", startTime: fields[19] ?? "" };
}

function readProcFile(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}

function isSignalable(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
