import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { ForewarmError, isForewarmError } from "../domain/errors.ts";
import { readEmbeddedConfig, type EmbeddedConfig } from "./config.ts";
import { choosePorts } from "./free-port.ts";
import { chooseSockets, createHome, removeSockets, type HomePaths } from "./home.ts";
import { takeLock } from "./home-lock.ts";
import { ensureKeys } from "./keys.ts";
import { ownIdentity } from "./process-identity.ts";
import { boundLog } from "./process-log.ts";
import { markHosts } from "./rack-hosts.ts";
import { stackStages, type StackEntries, type StackPlan } from "./stack-stages.ts";
import { removeJournal, writeJournal, type StackState } from "./stack-state.ts";
import { endOrphans } from "./stop-home.ts";
import { SupervisedGroup } from "./supervisor.ts";
import { acceptsConnections } from "./temporal-server/health.ts";
import { resolveTemporal, rungContext } from "./temporal-server/resolve.ts";
import type { TemporalServer } from "./temporal-server/rung.ts";
import { uiUrlOf } from "./temporal-server/start.ts";

export type Isolation = "auto" | "bwrap" | "none";

export interface StackOptions {
  home: string;
  isolation: Isolation;
  /** How the rack gives addresses to hosts, passed on as FOREWARM_RACK_ADDRESSES; its own default when absent. */
  addresses?: string | undefined;
  /** Takes one line for people. */
  onProgress: (line: string) => void;
  /** The server to use; without it the ladder of ways is climbed. */
  temporal?: TemporalServer | undefined;
  /** Programs to run in place of ours: the rack, the load balancer and the worker of a test. */
  entries?: StackEntries | undefined;
  /** Cancels a start under way. */
  signal?: AbortSignal | undefined;
  /** Ends all processes at once, also in the middle of a start or a stop. */
  force?: AbortSignal | undefined;
  config?: EmbeddedConfig;
}

export interface Stack {
  /** As it was when the stack became ready; `readStack` tells the present. */
  info: StackState;
  /** Ends all processes in order and gives the home back. May be called again. */
  stop: () => Promise<void>;
  /** Settles when the stack was stopped. */
  exited: Promise<void>;
}

const connectTimeoutMs = 5_000;

/**
 * Starts Temporal, rack, load balancer and worker for a home and keeps them running until `stop`.
 * What an ended supervisor left running there is ended first.
 * Throws HOME_IN_USE, TEMPORAL_MISSING, TEMPORAL_UNREACHABLE, COMMAND_FAILED, COMMAND_TIMED_OUT or CANCELLED.
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  const paths = createHome(options.home);
  const lock = takeLock(paths.lock);
  try {
    const orphans = await endOrphans(options.home);
    if (orphans.length > 0) options.onProgress(`ended what an earlier stack left running: ${orphans.join(", ")}`);
    const plan = await planStack(paths, options);
    return await runStack({ plan, options, onEnd: () => lock.release() });
  } catch (error) {
    lock.release();
    if (options.signal?.aborted !== true || isForewarmError(error)) throw error;
    throw new ForewarmError("CANCELLED", "the start was cancelled", { cause: error });
  }
}

async function planStack(paths: HomePaths, options: StackOptions): Promise<StackPlan> {
  const config = options.config ?? readEmbeddedConfig();
  const temporal = options.temporal ?? (await findTemporal(config, options));
  const ports = temporal.kind === "executable" ? await choosePorts(paths.ports) : null;
  return {
    paths,
    temporal,
    ports,
    temporalAddress: temporal.kind === "address" ? temporal.address : `127.0.0.1:${ports?.temporal}`,
    keys: ensureKeys(paths.keys),
    sockets: chooseSockets(paths.home),
    environment: config.environment,
    isolation: options.isolation,
    addresses: options.addresses,
    entries: options.entries ?? {},
  };
}

async function findTemporal(config: EmbeddedConfig, options: StackOptions): Promise<TemporalServer> {
  const { onProgress, signal = new AbortController().signal } = options;
  const { environment, cacheFolder } = config;
  const { server } = await resolveTemporal(rungContext({ environment, cacheFolder, onProgress, signal }));
  if (server.kind === "executable") {
    onProgress(`Temporal: ${server.path}`);
    return server;
  }
  if (!(await acceptsConnections(server.address, connectTimeoutMs))) {
    throw new ForewarmError("TEMPORAL_UNREACHABLE", `nothing answers at TEMPORAL_ADDRESS ${server.address}`);
  }
  onProgress(`Temporal: ${server.address}`);
  return server;
}

interface StackRun {
  plan: StackPlan;
  options: StackOptions;
  onEnd: () => void;
}

async function runStack(run: StackRun): Promise<Stack> {
  const { plan, options } = run;
  const log = join(plan.paths.logs, "supervisor.log");
  const report = reporter(log, options.onProgress);
  const journal = { ready: false, write: (): void => undefined };
  const hooks = { onChange: () => journal.write(), onEvent: report, nowMs: () => performance.now() };
  const group = new SupervisedGroup(stackStages(plan), hooks, log);
  journal.write = () => record({ plan, group, ready: journal.ready }, report);
  let resolveExited = (): void => undefined;
  const exited = new Promise<void>((resolve) => (resolveExited = resolve));
  const stop = once(async () => {
    await group.stop();
    giveBack(run, report);
    resolveExited();
  });
  options.force?.addEventListener("abort", () => group.kill());
  report("starting Temporal, rack, load balancer and worker");
  try {
    await group.start(options.signal ?? new AbortController().signal);
  } catch (error) {
    await stop();
    throw error;
  }
  for (const warning of warningsOf(group)) report(warning);
  journal.ready = true;
  journal.write();
  report("ready");
  return { info: stateOf({ plan, group, ready: true }), stop, exited };
}

function giveBack({ plan, onEnd }: StackRun, report: (line: string) => void): void {
  removeJournal(plan.paths.home);
  removeSockets(plan.paths.home, plan.sockets);
  report("stopped");
  onEnd();
}

// Without a journal the processes still run; only an end by force would leave them to be found by hand.
function record(snapshot: StackSnapshot, report: (line: string) => void): void {
  const { plan, group } = snapshot;
  const { home } = plan.paths;
  try {
    writeJournal(home, stateOf(snapshot));
    const rackServes = group.reports().some(({ name, ready }) => name === "rack" && ready);
    if (rackServes) markHosts(home, { isolation: plan.isolation, addresses: plan.addresses, entry: plan.entries.rack });
  } catch (error) {
    report(`the journal could not be written: ${String(error)}`);
  }
}

interface StackSnapshot {
  plan: StackPlan;
  group: SupervisedGroup;
  ready: boolean;
}

function stateOf({ plan, group, ready }: StackSnapshot): StackState {
  const { ports, sockets, keys, temporalAddress } = plan;
  const rackSaid = group.readyLine("rack")?.["isolation"];
  return {
    version: 1,
    ...ownIdentity(),
    ready,
    temporalAddress,
    uiUrl: ports === null ? null : uiUrlOf(ports),
    ports,
    sockets,
    keys,
    store: plan.paths.store,
    isolation: typeof rackSaid === "string" ? rackSaid : plan.isolation,
    processes: group.reports(),
  };
}

function warningsOf(group: SupervisedGroup): string[] {
  const warnings = group.readyLine("rack")?.["warnings"];
  return Array.isArray(warnings) ? warnings.map((warning) => `rack: ${String(warning)}`) : [];
}

function reporter(file: string, onProgress: (line: string) => void): (line: string) => void {
  boundLog(file);
  return (line) => {
    onProgress(line);
    try {
      appendFileSync(file, `${new Date().toISOString()} ${line}\n`);
    } catch (error) {
      onProgress(`${file} could not be written: ${String(error)}`);
    }
  };
}

function once(action: () => Promise<void>): () => Promise<void> {
  let result: Promise<void> | null = null;
  return async () => (result ??= action());
}
