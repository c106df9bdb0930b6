import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { hostname } from "node:os";
import { fileURLToPath } from "node:url";
import { Client, Connection } from "@temporalio/client";
import { DefaultLogger, NativeConnection, Runtime } from "@temporalio/worker";
import { pino } from "pino";
import { ForewarmError } from "../domain/errors.ts";
import { createLocalComputeProvider } from "../providers/compute/local/local-compute-provider.ts";
import { createLocalLoadBalancer } from "../providers/load-balancer/local/local-load-balancer.ts";
import { createSshNodeChannel } from "../providers/node/ssh/ssh-node-channel.ts";
import type { Store } from "../providers/store/store.ts";
import type { Ports } from "./activity-groups.ts";
import { activitiesByQueue } from "./activity-groups.ts";
import type { WorkerConfig } from "./config.ts";
import { openingStore } from "./opening-store.ts";
import { createSagaStarter } from "./start-workflow.ts";
import { createWorkers } from "./workers.ts";

function installLogger(level: WorkerConfig["logLevel"]): void {
  const log = pino({ level }, pino.destination(2));
  const levels = { TRACE: "trace", DEBUG: "debug", INFO: "info", WARN: "warn", ERROR: "error" } as const;
  Runtime.install({
    logger: new DefaultLogger(level === "debug" ? "DEBUG" : "WARN", (entry) =>
      log[levels[entry.level]](entry.meta ?? {}, entry.message),
    ),
  });
}

async function openPorts(config: WorkerConfig, store: Promise<Store>): Promise<Ports> {
  return {
    store: openingStore(store),
    provider: createLocalComputeProvider({ socketPath: config.rackSocket }),
    loadBalancer: createLocalLoadBalancer({ socketPath: config.loadBalancerSocket }),
    channel: createSshNodeChannel({ privateKey: await readFile(config.fleetKeyPath, "utf8") }),
  };
}

async function closePorts(ports: Ports): Promise<void> {
  await ports.channel.closeAll();
  await Promise.all([ports.provider.close(), ports.loadBalancer.close()]);
  await ports.store.close();
}

async function readAgentBundle(config: WorkerConfig): Promise<Buffer> {
  const path = config.agentBundlePath ?? fileURLToPath(new URL("../agent.mjs", import.meta.url));
  if (!existsSync(path)) throw new ForewarmError("USAGE", `the agent bundle ${path} is missing; run \`npm run build\``);
  return readFile(path);
}

async function connect({ temporal }: WorkerConfig): Promise<{ connection: NativeConnection; client: Client }> {
  const { connectionOptions, namespace } = temporal;
  try {
    const connection = await NativeConnection.connect(connectionOptions);
    const client = new Client({ connection: await Connection.connect(connectionOptions), namespace });
    return { connection, client };
  } catch (error) {
    const message = `no Temporal server answers at ${connectionOptions.address}`;
    throw new ForewarmError("TEMPORAL_UNREACHABLE", message, { cause: error });
  }
}

/** Serves all task queues until SIGINT or SIGTERM, then closes what it used. Errors: USAGE, TEMPORAL_UNREACHABLE, the store's. */
export async function runWorker(config: WorkerConfig, store: Promise<Store>): Promise<void> {
  installLogger(config.logLevel);
  const [ports, agentBundle, { connection, client }] = await Promise.all([
    openPorts(config, store),
    readAgentBundle(config),
    connect(config),
  ]);
  const authorizedKey = (await readFile(`${config.fleetKeyPath}.pub`, "utf8")).trim();
  const sagas = createSagaStarter(client);
  const workers = await createWorkers({
    connection,
    namespace: config.temporal.namespace,
    activities: activitiesByQueue(ports, { agentBundle, authorizedKey, sagas }),
    identity: `forewarm-worker@${hostname()}:${process.pid}`,
  });
  await store;
  process.stdout.write(`${JSON.stringify({ ready: true, pid: process.pid })}\n`);
  // Workers end by themselves on SIGINT and SIGTERM; what they used is closed after the last of them.
  await Promise.all(workers.map((worker) => worker.run()));
  await closePorts(ports);
  await Promise.all([connection.close(), client.connection.close()]);
}
