import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Client } from "@temporalio/client";
import { readClientConfig } from "../../client/config.ts";
import type { FleetHandle } from "../../client/fleet-handle.ts";
import { openFleet } from "../../client/fleet-handle.ts";
import { openSession } from "../../client/session.ts";
import { readStack } from "../../embedded/stack-state.ts";
import type { ComputeProvider, Machine } from "../../providers/compute/compute-provider.ts";
import { createLocalComputeProvider } from "../../providers/compute/local/local-compute-provider.ts";
import { rackFaults, type RackFault } from "../../providers/compute/local/rack-faults.ts";
import { newHome, readyProcess, removeHome, temporalExecutable, until } from "../embedded/stack-kit.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
export const executable = temporalExecutable() ?? "";

/** Builds what a user runs, unless it is built already. */
export function buildOnce(): void {
  const built = spawnSync(process.execPath, ["build.mjs", "--if-stale"], { cwd: root, encoding: "utf8" });
  if (built.status !== 0) throw new Error(built.stderr);
}

export interface Finished {
  code: number | null;
  out: string;
  err: string;
}

function environmentOf(home: string): NodeJS.ProcessEnv {
  const { TEMPORAL_ADDRESS: _server, DATABASE_URL: _database, ...environment } = process.env;
  return { ...environment, FOREWARM_HOME: home, TEMPORAL_CLI_PATH: executable };
}

/** Starts the built command line as a user would. */
export function spawnForewarm(home: string, ...args: string[]): { child: ChildProcess; finished: Promise<Finished> } {
  const child = spawn(process.execPath, [join(root, "dist/client/cli.js"), ...args], {
    env: environmentOf(home),
    cwd: home,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const written = { out: "", err: "" };
  child.stdout.on("data", (chunk) => (written.out += String(chunk)));
  child.stderr.on("data", (chunk) => (written.err += String(chunk)));
  const finished = new Promise<Finished>((resolve) => child.once("close", (code) => resolve({ code, ...written })));
  return { child, finished };
}

/** Runs the built command line to its end. */
export async function forewarm(home: string, ...args: string[]): Promise<Finished> {
  return spawnForewarm(home, ...args).finished;
}

export interface TemplateSettings {
  fleet: string;
  greeting?: string;
  minServing?: number;
  standby?: number;
  stepSeconds?: number;
  zones?: string[];
}

/** A fleet of the example's web servers, quick to start and to look after; several hosts share a small machine. */
export function templateText(settings: TemplateSettings): string {
  const { fleet, greeting = "hello", minServing = 1, standby = 2, stepSeconds = 0.5, zones = ["a", "b"] } = settings;
  const port = 8080;
  const template = {
    version: 1,
    fleet,
    provider: { kind: "local", zones },
    image: { source: join(root, "examples/images/web") },
    applications: [
      { name: "web", command: ["node", "server.mjs"], directory: "/opt/app", port, stop_grace_seconds: 5 },
    ],
    demand: { step_seconds: stepSeconds, per_host: 1000 },
    forecast: { enabled: false },
    capacity: { min_serving: minServing, max_hosts: 16, scale_in_hold_seconds: 600 },
    standby: { min: standby, max: standby },
    bootstrap: {
      deadline_seconds: { boot: 20, connect: 8, stage: 20, configure: 20, start: 20, verify: 20 },
      verify: [{ kind: "http", port, path: "/health" }, { kind: "digest" }],
    },
    golden: {
      max_updating_percent: 50,
      files: [
        { path: "web.json", content: JSON.stringify({ greeting, slots: 8, service_ms: 1, cpu_ms: 0 }), hook: "reload" },
      ],
    },
    load_balancer: {
      health_check: { path: "/health", interval_seconds: 0.3, unhealthy_after: 3 },
      drain_deadline_seconds: 10,
    },
  };
  return `${JSON.stringify(template, null, 2)}\n`;
}

/** A whole running stack, driven by its own processes and looked into from outside. */
export interface LocalStack {
  home: string;
  client: Client;
  provider: ComputeProvider;
  fault: (fault: RackFault) => Promise<void>;
  fleet: (name: string) => FleetHandle;
  /** Applies a template through the command line. */
  apply: (settings: TemplateSettings) => Promise<FleetHandle>;
  /** Machines of a fleet that the rack still has. */
  machines: (fleet: string) => Promise<Machine[]>;
  pidOf: (name: string) => number;
  /** Ends a process with SIGKILL; `restarted` waits until another one is ready and tells after how many ms. */
  kill: (name: string) => Promise<{ restarted: () => Promise<number> }>;
  stop: () => Promise<void>;
}

export async function startLocalStack(): Promise<LocalStack> {
  buildOnce();
  const home = newHome();
  const up = await forewarm(home, "up", "--detach", "--isolation", "none");
  if (up.code !== 0) throw new Error(`up failed: ${up.err}`);
  const { sockets } = readStack(home)!;
  const session = await openSession({ ...readClientConfig(environmentOf(home)), temporalAddress: null });
  const provider = createLocalComputeProvider({ socketPath: sockets.rack });
  const pidOf = (name: string): number => readStack(home)!.processes.find((process) => process.name === name)!.pid;
  return {
    home,
    client: session.client,
    provider,
    fault: rackFaults(sockets.rack),
    fleet: (name) => openFleet(session.client, name),
    async apply(settings) {
      mkdirSync(join(home, "templates"), { recursive: true });
      const file = join(home, "templates", `${settings.fleet}.yaml`);
      writeFileSync(file, templateText(settings));
      const applied = await forewarm(home, "apply", file);
      if (applied.code !== 0) throw new Error(`apply failed: ${applied.err}`);
      return openFleet(session.client, settings.fleet);
    },
    async machines(fleet) {
      return (await provider.describe({ fleet })).filter((machine) => machine.state !== "terminated");
    },
    pidOf,
    async kill(name) {
      const pid = pidOf(name);
      const killedMs = performance.now();
      process.kill(pid, "SIGKILL");
      return {
        restarted: async () => {
          await until(`${name} runs again`, () => {
            const now = readyProcess(home, name);
            return now !== null && now.pid !== pid;
          });
          return Math.round(performance.now() - killedMs);
        },
      };
    },
    async stop() {
      await Promise.all([session.close(), provider.close()]);
      await forewarm(home, "down");
      await removeHome(home);
    },
  };
}
