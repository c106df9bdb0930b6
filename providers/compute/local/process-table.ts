import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync, readlinkSync } from "node:fs";

/** A process, told apart from a later one with the same pid by its start time. */
export interface ProcessId {
  pid: number;
  startedAt: string;
}

export interface ProcessRow extends ProcessId {
  parentPid: number;
  zombie: boolean;
}

const onLinux = process.platform === "linux";

/** A file of a process, or null once the process is gone or may not be read. */
function readProcFile(path: string): string | null {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return null;
  }
}

/** Fields after the command name, which itself may hold spaces and brackets; field 3 is first (proc(5)). */
function parseStat(pid: number, stat: string): ProcessRow {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return {
    pid,
    parentPid: Number(fields[1]),
    zombie: fields[0] === "Z" || fields[0] === "X",
    startedAt: fields[19] ?? "",
  };
}

/** One line of `ps -o pid=,ppid=,stat=,lstart=`. */
function parsePsLine(line: string): ProcessRow {
  const [pid, parentPid, state, ...started] = line.trim().split(/\s+/);
  return {
    pid: Number(pid),
    parentPid: Number(parentPid),
    zombie: state?.startsWith("Z") ?? false,
    startedAt: started.join(" "),
  };
}

function runPs(args: string[]): string {
  try {
    return execFileSync("ps", args, { encoding: "utf8", maxBuffer: 32 * 1024 * 1024 });
  } catch {
    // ps exits 1 when the pid it was asked for is gone.
    return "";
  }
}

const psColumns = ["-o", "pid=,ppid=,stat=,lstart="];
const psLines = (text: string) => text.split("\n").filter((line) => line.trim() !== "");

/** The process with this pid, or null when there is none. */
export function readProcess(pid: number): ProcessRow | null {
  if (!onLinux) return psLines(runPs([...psColumns, "-p", String(pid)])).map(parsePsLine)[0] ?? null;
  const stat = readProcFile(`/proc/${pid}/stat`);
  return stat === null ? null : parseStat(pid, stat);
}

export function listProcesses(): ProcessRow[] {
  if (!onLinux) return psLines(runPs(["-ax", ...psColumns])).map(parsePsLine);
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readProcess(Number(name)) ?? []);
}

/** Whether this very process still runs; a zombie does not. */
export function isAlive(id: ProcessId): boolean {
  const row = readProcess(id.pid);
  return row !== null && !row.zombie && row.startedAt === id.startedAt;
}

/** Pids among `rows` whose environment holds `marker` (`NAME=value`). */
export function pidsWithMarker(rows: ProcessRow[], marker: string): Set<number> {
  if (!onLinux) return pidsWithMarkerByPs(marker);
  const wanted = `\0${marker}\0`;
  const marked = rows.filter((row) => `\0${readProcFile(`/proc/${row.pid}/environ`) ?? ""}`.includes(wanted));
  return new Set(marked.map((row) => row.pid));
}

function pidsWithMarkerByPs(marker: string): Set<number> {
  const lines = psLines(runPs(["-ax", "-ww", "-E", "-o", "pid=,command="]));
  return new Set(lines.filter((line) => ` ${line} `.includes(` ${marker} `)).map((line) => Number.parseInt(line, 10)));
}

/** Name of the pid namespace of a process, or null where there are none or it may not be read. */
export function pidNamespace(pid: number): string | null {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    return null;
  }
}

/** Changes with every start of the computer, so that journaled pids of an earlier one are known to be dead. */
export function computerBootId(): string {
  return readProcFile("/proc/sys/kernel/random/boot_id")?.trim() ?? "unknown";
}

/** Sends a signal to a process, or to its group with a negative pid; false when it is gone already. */
export function sendSignal(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}
