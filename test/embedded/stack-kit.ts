import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { readEmbeddedConfig } from "../../embedded/config.ts";
import { nodeCommand } from "../../embedded/entries.ts";
import { isAlive, type ProcessIdentity } from "../../embedded/process-identity.ts";
import { readJournal } from "../../embedded/stack-state.ts";
import { stopHome } from "../../embedded/stop-home.ts";
import { cachedExecutable, findOnPath } from "../../embedded/temporal-server/executable.ts";

export const fixture = (name: string): string => fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));

export const standIns = {
  rack: fixture("rack.mjs"),
  "load-balancer": fixture("load-balancer.mjs"),
  worker: fixture("worker.mjs"),
};

/** A Temporal CLI that is on this machine already, or null: tests never fetch or build one. */
export function temporalExecutable(): string | null {
  const { cacheFolder, environment } = readEmbeddedConfig();
  const candidates = [
    environment["TEMPORAL_CLI_PATH"],
    findOnPath("temporal", environment["PATH"]),
    cachedExecutable(cacheFolder),
    join(homedir(), "go", "bin", "temporal"),
  ];
  return candidates.find((path): path is string => typeof path === "string" && path !== "" && existsSync(path)) ?? null;
}

/** A new home; `removeHome` ends what runs in it. */
export function newHome(): string {
  return mkdtempSync(join(tmpdir(), "fw-home-"));
}

export async function removeHome(home: string): Promise<void> {
  await stopHome(home, 30_000);
  rmSync(home, { recursive: true, force: true });
}

/** Polls a fact until it holds and returns it. */
export async function until<T>(what: string, fact: () => T | null | undefined | false, timeoutMs = 30_000): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const value = fact();
    if (value !== null && value !== undefined && value !== false) return value;
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await delay(20);
  }
}

export interface Program {
  child: ChildProcess;
  output: () => string;
  errors: () => string;
  exited: Promise<number | null>;
}

/** Runs a fixture program with arguments and gathers what it prints. */
export function runFixture(name: string, args: string[], { environment = process.env, cwd = tmpdir() } = {}): Program {
  const { command, args: nodeArgs } = nodeCommand(fixture(name));
  const child = spawn(command, [...nodeArgs, ...args], { cwd, env: environment, stdio: ["pipe", "pipe", "pipe"] });
  let output = "";
  let errors = "";
  child.stdout.on("data", (chunk) => (output += String(chunk)));
  child.stderr.on("data", (chunk) => (errors += String(chunk)));
  const exited = new Promise<number | null>((resolve) => child.once("close", (code) => resolve(code)));
  return { child, output: () => output, errors: () => errors, exited };
}

/** The journalled process of that name, when it runs and is ready. */
export function readyProcess(home: string, name: string): ProcessIdentity | null {
  const found = readJournal(home)?.processes.find((process) => process.name === name && process.ready);
  return found !== undefined && isAlive(found) ? { pid: found.pid, startTime: found.startTime } : null;
}

/** Pids of running processes whose command line or environment names the home. */
export function processesNaming(home: string): number[] {
  return execFileSync("ps", ["-eo", "pid="], { encoding: "utf8" })
    .split("\n")
    .map(Number)
    .filter((pid) => pid > 0 && pid !== process.pid && mentions(pid, home));
}

function mentions(pid: number, home: string): boolean {
  try {
    return ["cmdline", "environ"].some((file) => readFileSync(`/proc/${pid}/${file}`, "latin1").includes(home));
  } catch {
    return false;
  }
}
