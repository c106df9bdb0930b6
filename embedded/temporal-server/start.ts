import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { readEmbeddedConfig, type Environment } from "../config.ts";
import { freePort, type TemporalPorts } from "../free-port.ts";
import { homePaths } from "../home.ts";
import { awaitReady, launch, stopLaunched, type ProcessSpec } from "../launch.ts";
import { waitForTemporal } from "./health.ts";

/** Search attributes that every Forewarm workflow may set, with their types. */
export const searchAttributes = {
  ForewarmFleet: "Keyword",
  ForewarmHost: "Keyword",
  ForewarmPhase: "Keyword",
  ForewarmEpoch: "Int",
  ForewarmWave: "Int",
  ForewarmApproval: "Keyword",
  ForewarmRisk: "Double",
  ForewarmVerdict: "Keyword",
} as const;

// With the default of 20 polls a second each step waits for a 50 ms tick; the matcher is what knows priorities.
const dynamicConfig = {
  "history.transferProcessorMaxPollRPS": "2000",
  "history.timerProcessorMaxPollRPS": "2000",
  "matching.useNewMatcher": "true",
} as const;

const sqlitePragmas = { journal_mode: "WAL", synchronous: "NORMAL" } as const;

export interface TemporalServerOptions {
  home: string;
  executable: string;
  ports: TemporalPorts;
  /** Keeps nothing on disk. */
  inMemory: boolean;
  environment: Environment;
  ownGroup: boolean;
}

/** How to run a Temporal dev server with the flags that Forewarm is built for. */
export function temporalServerSpec(options: TemporalServerOptions): ProcessSpec {
  const paths = homePaths(options.home);
  const address = `127.0.0.1:${options.ports.temporal}`;
  return {
    name: "temporal",
    command: options.executable,
    args: serverArguments(options.ports, options.inMemory ? null : paths.temporalDatabase),
    environment: options.environment,
    directory: options.home,
    logFile: join(paths.logs, "temporal.log"),
    probe: async (signal) => waitForTemporal(address, signal),
    readyDeadlineMs: 60_000,
    stopGraceMs: 10_000,
    ownGroup: options.ownGroup,
  };
}

export interface RunningTemporalServer {
  address: string;
  uiUrl: string;
  ports: TemporalPorts;
  pid: number;
  stop(): Promise<void>;
}

/**
 * Starts an unsupervised dev server, as tests want it, and waits until it serves.
 * Throws COMMAND_FAILED or COMMAND_TIMED_OUT with the end of its log.
 */
export async function startTemporalServer(options: {
  home: string;
  executable: string;
  ports?: TemporalPorts;
  inMemory?: boolean;
  environment?: Environment;
}): Promise<RunningTemporalServer> {
  const ports = options.ports ?? { temporal: await freePort(), ui: await freePort() };
  const { environment = readEmbeddedConfig().environment, inMemory = false } = options;
  const spec = temporalServerSpec({ ...options, ports, environment, inMemory, ownGroup: false });
  mkdirSync(join(options.home, "logs"), { recursive: true });
  const launched = await launch(spec);
  try {
    await awaitReady(spec, launched, new AbortController().signal);
  } catch (error) {
    await stopLaunched(spec, launched);
    throw error;
  }
  return {
    address: `127.0.0.1:${ports.temporal}`,
    uiUrl: uiUrlOf(ports),
    ports,
    pid: launched.identity.pid,
    stop: async () => stopLaunched(spec, launched),
  };
}

/** Link to the Web UI of a local server. */
export function uiUrlOf(ports: TemporalPorts): string {
  return `http://127.0.0.1:${ports.ui}`;
}

function serverArguments(ports: TemporalPorts, databaseFile: string | null): string[] {
  return [
    "server",
    "start-dev",
    "--ip=127.0.0.1",
    "--log-level=warn",
    `--port=${ports.temporal}`,
    `--ui-port=${ports.ui}`,
    ...pairs("--dynamic-config-value", dynamicConfig),
    ...pairs("--search-attribute", searchAttributes),
    ...(databaseFile === null ? [] : [`--db-filename=${databaseFile}`, ...pairs("--sqlite-pragma", sqlitePragmas)]),
  ];
}

function pairs(flag: string, values: Readonly<Record<string, string>>): string[] {
  return Object.entries(values).flatMap(([key, value]) => [flag, `${key}=${value}`]);
}
