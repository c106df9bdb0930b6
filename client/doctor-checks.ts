import { execFile } from "node:child_process";
import { constants, existsSync } from "node:fs";
import { access, statfs } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { dirname } from "node:path";
import { promisify } from "node:util";
import { readStack } from "../embedded/stack-state.ts";
import { findOnPath } from "../embedded/temporal-server/executable.ts";
import { addressRung, cacheRung, namedExecutableRung, pathRung } from "../embedded/temporal-server/present.ts";
import { rungContext } from "../embedded/temporal-server/resolve.ts";
import type { ClientConfig } from "./config.ts";

/** `missing` stops Forewarm from working, `absent` only takes something away. */
export type CheckStatus = "ok" | "absent" | "missing";

export interface CheckResult {
  name: string;
  status: CheckStatus;
  detail: string;
  /** What to do about it; null when nothing is wrong. */
  cure: string | null;
}

const run = promisify(execFile);
const probeTimeoutMs = 5_000;
const connectTimeoutMs = 2_000;
const freeBytesMin = 1024 ** 3;
const nodeVersionMin = [20, 19] as const;
/** The rack gives each host an address of its own in 127.0.0.0/8. */
const rackAddress = "127.1.0.1";
/** The SSH port of every local host with an address of its own. */
const rackSshPort = 2222;

/** Looks at all that Forewarm needs on this machine; changes nothing. */
export async function runDoctorChecks(config: ClientConfig): Promise<CheckResult[]> {
  return Promise.all([
    Promise.resolve(checkNode(process.versions.node)),
    checkTemporal(config),
    checkHome(config.home),
    checkDiskSpace(config.home),
    checkRackAddress(config),
    checkBubblewrap(config),
    Promise.resolve(checkSsh(config)),
    checkStore(config.databaseUrl),
    Promise.resolve(checkStack(config.home)),
  ]);
}

function ok(name: string, detail: string): CheckResult {
  return { name, status: "ok", detail, cure: null };
}

/** Node must be 20.19 or newer. */
export function checkNode(version: string): CheckResult {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [needMajor, needMinor] = nodeVersionMin;
  if (major > needMajor || (major === needMajor && minor >= needMinor)) return ok("node", version);
  const cure = `Install Node.js ${needMajor}.${needMinor} or newer.`;
  return { name: "node", status: "missing", detail: version, cure };
}

/** A server in reach, a CLI that is present, or Go to build one. */
export async function checkTemporal(config: ClientConfig): Promise<CheckResult> {
  if (config.temporalAddress !== null) return checkAddress("temporal", config.temporalAddress, "TEMPORAL_ADDRESS");
  const signal = AbortSignal.timeout(probeTimeoutMs);
  const context = rungContext({ ...config, onProgress: () => {}, signal });
  for (const rung of [addressRung, namedExecutableRung, pathRung, cacheRung]) {
    const outcome = await rung.tryRung(context);
    if ("server" in outcome && outcome.server.kind === "executable") {
      return ok("temporal", `${outcome.server.version} (${rung.name})`);
    }
  }
  const go = findOnPath("go", config.environment["PATH"]);
  const cure = "Set TEMPORAL_ADDRESS or TEMPORAL_CLI_PATH, or install the Temporal CLI or Go 1.23.";
  if (go === null) return { name: "temporal", status: "missing", detail: "no server, no CLI, no Go", cure };
  const detail = `none yet; \`forewarm up\` downloads it or builds it once with ${go}`;
  return { name: "temporal", status: "absent", detail, cure: "Run `forewarm up` once; a build takes 3 to 5 minutes." };
}

async function checkAddress(name: string, address: string, variable: string): Promise<CheckResult> {
  const cure = `Start the server, or correct ${variable}.`;
  const isListening = await connects(address);
  return isListening
    ? ok(name, `${address} answers (${variable})`)
    : { name, status: "missing", detail: `${address} does not answer (${variable})`, cure };
}

/** True when something accepts TCP connections at `host:port` within 2 s. */
async function connects(address: string): Promise<boolean> {
  const [, host = "", port = ""] = /^(.*):(\d+)$/.exec(address) ?? [];
  if (host === "") return false;
  return new Promise((resolve) => {
    const socket = connect({ host, port: Number(port), timeout: connectTimeoutMs });
    const answer = (isListening: boolean): void => {
      socket.destroy();
      resolve(isListening);
    };
    socket.once("connect", () => answer(true));
    socket.once("timeout", () => answer(false));
    socket.once("error", () => answer(false));
  });
}

/** FOREWARM_HOME, or the nearest folder above it that exists, can be written. */
export async function checkHome(home: string): Promise<CheckResult> {
  const folder = nearestExisting(home);
  try {
    await access(folder, constants.W_OK | constants.X_OK);
    return ok("home", folder === home ? home : `${home} (not made yet)`);
  } catch {
    const cure = "Make the folder writable, or set FOREWARM_HOME or --home to one that is.";
    return { name: "home", status: "missing", detail: `${folder} cannot be written`, cure };
  }
}

function nearestExisting(folder: string): string {
  return existsSync(folder) || dirname(folder) === folder ? folder : nearestExisting(dirname(folder));
}

/** At least 1 GiB is free where FOREWARM_HOME lies or will lie. */
export async function checkDiskSpace(home: string, bytesMin: number = freeBytesMin): Promise<CheckResult> {
  const { bavail, bsize } = await statfs(nearestExisting(home));
  const detail = `${((bavail * bsize) / 1024 ** 3).toFixed(1)} GiB free`;
  if (bavail * bsize >= bytesMin) return ok("disk space", detail);
  return { name: "disk space", status: "missing", detail, cure: `Free at least 1 GiB at ${home}.` };
}

/** An address for a local host can be listened at; without that, hosts share 127.0.0.1 on ports of their own. */
export async function checkLoopback(address: string, sshPort: number = rackSshPort): Promise<CheckResult> {
  const name = "loopback addresses";
  const unbound = await bindError(address, 0);
  if (unbound !== null) {
    const cure = "Nothing to do: local hosts then share 127.0.0.1. On macOS, `ifconfig lo0 alias` adds addresses.";
    return { name, status: "absent", detail: `${address}: ${unbound.message}`, cure };
  }
  const taken = await bindError(address, sshPort);
  if (taken === null) return ok(name, `${address} can be bound`);
  const cure = `End the program that listens on 0.0.0.0:${sshPort}, or set FOREWARM_RACK_ADDRESSES=single.`;
  return { name, status: "missing", detail: `${address}:${sshPort}: ${taken.message}`, cure };
}

function checkRackAddress({ environment }: ClientConfig): Promise<CheckResult> | CheckResult {
  if (environment["FOREWARM_RACK_ADDRESSES"] !== "single") return checkLoopback(rackAddress);
  return ok("loopback addresses", "not needed (FOREWARM_RACK_ADDRESSES=single)");
}

/** Why nobody can listen there now; null when one can. */
function bindError(host: string, port: number): Promise<Error | null> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once("error", resolve);
    server.listen({ host, port }, () => server.close(() => resolve(null)));
  });
}

async function checkBubblewrap({ environment }: ClientConfig): Promise<CheckResult> {
  const name = "bwrap";
  const cure = "Install bubblewrap and allow user namespaces to give local hosts walls (`isolation: bwrap`).";
  const path = findOnPath("bwrap", environment["PATH"]);
  if (path === null) return { name, status: "absent", detail: "not installed; local hosts run without walls", cure };
  try {
    await run(path, ["--unshare-user", "--unshare-pid", "--ro-bind", "/", "/", "true"], { timeout: probeTimeoutMs });
    return ok(name, `${path} works`);
  } catch {
    return { name, status: "absent", detail: `${path} may not make namespaces; local hosts run without walls`, cure };
  }
}

function checkSsh({ environment }: ClientConfig): CheckResult {
  const absent = ["ssh", "ssh-keygen"].filter((tool) => findOnPath(tool, environment["PATH"]) === null);
  if (absent.length === 0) return ok("ssh tools", "ssh, ssh-keygen");
  const detail = `${absent.join(", ")} not found`;
  const cure = "Install the OpenSSH client to log in to hosts by hand; Forewarm itself does not need it.";
  return { name: "ssh tools", status: "absent", detail, cure };
}

/** Postgres is optional; once named, it must answer. */
export async function checkStore(databaseUrl: string | null): Promise<CheckResult> {
  if (databaseUrl === null) return ok("store", "embedded (DATABASE_URL is not set)");
  const url = URL.canParse(databaseUrl) ? new URL(databaseUrl) : null;
  return checkAddress("store", `${url?.hostname ?? ""}:${url?.port || "5432"}`, "DATABASE_URL");
}

/** Whether the embedded stack of this home runs; both are fine. */
function checkStack(home: string): CheckResult {
  const stack = readStack(home);
  return ok(
    "stack",
    stack === null ? "does not run" : `runs: process ${stack.pid}, Temporal at ${stack.temporalAddress}`,
  );
}
