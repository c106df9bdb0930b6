import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Client, Connection } from "@temporalio/client";
import type { Worker } from "@temporalio/worker";
import { DefaultLogger, NativeConnection, Runtime } from "@temporalio/worker";
import type { FleetHandle } from "../../client/fleet-handle.ts";
import { openFleet } from "../../client/fleet-handle.ts";
import type { FleetDescription } from "../../domain/host/describe-fleet.ts";
import type { GoldenReference } from "../../domain/host/fleet-state.ts";
import { startTemporalServer } from "../../embedded/temporal-server/start.ts";
import type { FleetTemplate } from "../../schema/fleet-template.ts";
import { createSagaStarter } from "../../worker/start-workflow.ts";
import { createWorkers } from "../../worker/workers.ts";
import type { FleetArguments } from "../../workflows/messages.ts";
import { taskQueues, workflowIds, workflowNames } from "../../workflows/messages.ts";
import { goldenOf, templateOf } from "../domain/host/fleet-fixture.ts";
import { temporalExecutable } from "../embedded/stack-kit.ts";
import { createRehearsal, type Rehearsal } from "./rehearsal.ts";

/** Errors alone are printed; the runtime is one per process. */
export function quietRuntime(): void {
  Runtime.install({ logger: new DefaultLogger("ERROR") });
}

/** A dev server and the real workers; the activities are those of the rehearsal that a test puts in. */
export interface WorkflowLab {
  client: Client;
  /** Stands in for every activity; replaced by each test. */
  play: (world: Rehearsal) => void;
  stop: () => Promise<void>;
}

export const executable = temporalExecutable() ?? "";

export async function startLab(): Promise<WorkflowLab> {
  quietRuntime();
  const home = mkdtempSync(join(tmpdir(), "fw-lab-"));
  const server = await startTemporalServer({ home, executable, inMemory: true });
  const connection = await NativeConnection.connect({ address: server.address });
  const client = new Client({ connection: await Connection.connect({ address: server.address }) });
  const { play, stop } = await runWorkers(connection, client);
  return {
    client,
    play,
    stop: async () => {
      await stop();
      await Promise.all([connection.close(), client.connection.close()]);
      await server.stop();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

/** The workers of a real deployment, their activities played by the rehearsal of the test that runs. */
export async function runWorkers(
  connection: NativeConnection,
  client: Client,
): Promise<Pick<WorkflowLab, "play" | "stop">> {
  let world: Rehearsal | null = null;
  const sagas = createSagaStarter(client);
  const workers = await createWorkers({
    connection,
    namespace: "default",
    activities: forwarding(createRehearsal().activities(sagas), () => world?.activities(sagas) ?? null),
    identity: "lab",
  });
  const runs = workers.map((worker) => worker.run());
  return {
    play: (next) => {
      world = next;
    },
    stop: async () => {
      for (const worker of workers) stopWorker(worker);
      await Promise.all(runs);
    },
  };
}

function stopWorker(worker: Worker): void {
  if (worker.getState() === "RUNNING") worker.shutdown();
}

type Activities = ReturnType<Rehearsal["activities"]>;

/** One set of activities for the workers' whole life, each looked up in the rehearsal of the test that runs. */
function forwarding(names: Activities, current: () => Activities | null): Activities {
  const forward =
    (queue: keyof Activities, name: string) =>
    async (...args: unknown[]) => {
      const activities = current()?.[queue] as Record<string, (...given: unknown[]) => Promise<unknown>>;
      return activities[name]!(...args);
    };
  const queues = Object.keys(names) as (keyof Activities)[];
  const groups = queues.map((queue) => [
    queue,
    Object.fromEntries(Object.keys(names[queue]).map((name) => [name, forward(queue, name)])),
  ]);
  return Object.fromEntries(groups) as Activities;
}

export interface TestFleet extends FleetHandle {
  applyGolden: (golden: GoldenReference) => Promise<unknown>;
  end: () => Promise<void>;
}

let fleets = 0;

/** A new fleet with a quarter-second step, applied at epoch 1. */
export async function newFleet(
  lab: Pick<WorkflowLab, "client">,
  change: Partial<FleetArguments> & { edit?: (template: FleetTemplate) => void } = {},
): Promise<TestFleet> {
  fleets += 1;
  const name = `fleet-${fleets}`;
  const { edit, ...settings } = change;
  const template = { ...templateOf(), fleet: name };
  template.demand = { ...template.demand, step_seconds: 0.25 };
  edit?.(template);
  await lab.client.workflow.start(workflowNames.fleet, {
    workflowId: workflowIds.fleet(name),
    taskQueue: taskQueues.workflows,
    args: [{ fleet: name, ...settings }],
    workflowTaskTimeout: "2s",
  });
  const fleet = openFleet(lab.client, name);
  const applyGolden = (golden: GoldenReference): Promise<unknown> =>
    fleet.apply({ template, golden, signingKeys: ["key"] });
  await applyGolden(goldenOf(1));
  const handle = lab.client.workflow.getHandle(workflowIds.fleet(name));
  return { ...fleet, applyGolden, end: async () => void (await handle.terminate().catch(() => undefined)) };
}

/** Something that steps can be made to wait for. */
export function createGate(): { passed: Promise<void>; open: () => void } {
  let open = (): void => undefined;
  const passed = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { passed, open };
}

/** Polls a fact, which may have to be asked for, until it holds. */
export async function eventually<Value>(
  what: string,
  fact: () => Promise<Value | null | undefined | false> | Value | null | undefined | false,
  timeoutMs = 30_000,
): Promise<Value> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const value = await fact();
    if (value !== null && value !== undefined && value !== false) return value;
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await delay(25);
  }
}

/** Waits until the fleet's description satisfies a condition, and returns it. */
export async function untilFleet(
  fleet: FleetHandle,
  what: string,
  holds: (description: FleetDescription) => boolean,
): Promise<FleetDescription> {
  return eventually(what, async () => {
    const description = await fleet.describe();
    return holds(description) ? description : null;
  });
}
