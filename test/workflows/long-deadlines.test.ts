import { existsSync } from "node:fs";
import { Client } from "@temporalio/client";
import { TestWorkflowEnvironment } from "@temporalio/testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ForewarmError } from "../../domain/errors.ts";
import { searchAttributes } from "../../embedded/temporal-server/start.ts";
import type { BootstrapArguments } from "../../workflows/messages.ts";
import { taskQueues, workflowIds, workflowNames } from "../../workflows/messages.ts";
import { goldenOf, templateOf } from "../domain/host/fleet-fixture.ts";
import { createRehearsal, type Rehearsal } from "./rehearsal.ts";
import { eventually, newFleet, quietRuntime, runWorkers } from "./running-fleet.ts";

/** IndexedValueType: Keyword 2, Int 3, Double 4. */
const typeCodes = { Keyword: 2, Int: 3, Double: 4 };
const typesOf = (known: Record<string, keyof typeof typeCodes>): Record<string, number> =>
  Object.fromEntries(Object.entries(known).map(([name, type]) => [name, typeCodes[type]]));

const server = process.env["FOREWARM_TEST_SERVER"] ?? "";
const hourSeconds = 3600;

/** Virtual hours pass in moments here; each test has a server of its own, for all clocks of one server are the same. */
describe.skipIf(!existsSync(server))("long deadlines (needs FOREWARM_TEST_SERVER, the time-skipping server)", () => {
  let environment: TestWorkflowEnvironment;
  /** Not the environment's own, whose waiting lets time skip without bound. */
  let client: Client;
  let world: Rehearsal;
  let stop: () => Promise<void>;

  beforeEach(async () => {
    quietRuntime();
    environment = await TestWorkflowEnvironment.createTimeSkipping({
      server: { executable: { type: "existing-path", path: server } },
    });
    client = new Client({ connection: environment.connection });
    await environment.connection.operatorService.addSearchAttributes({
      namespace: "default",
      searchAttributes: typesOf(searchAttributes),
    });
    world = createRehearsal();
    const running = await runWorkers(environment.nativeConnection, client);
    running.play(world);
    stop = running.stop;
  });
  afterEach(async () => {
    await stop();
    await environment.teardown();
  });

  function bootstrapArguments(): BootstrapArguments {
    const template = templateOf();
    template.bootstrap.deadline_seconds.boot = 3 * hourSeconds;
    return {
      fleet: "web",
      hostId: "web-1",
      ordinal: 1,
      zone: "a",
      requestId: "request",
      batchOrdinal: 0,
      decidedAtMs: 0,
      fence: 1,
      golden: goldenOf(1),
      signingKeys: [],
      template,
    };
  }

  test("a machine that boots for hours is given up at its deadline and freed", async () => {
    const args = bootstrapArguments();
    let tries = 0;
    world.before = ({ name }) => {
      if (name === "allocate") world.machines.set("web-1", { ...machine, requestId: "request" });
      if (name === "boot" && (tries += 1) > 0) throw new ForewarmError("PROVIDER_UNREACHABLE", "still booting");
    };
    args.template.bootstrap.deadline_seconds.boot = 600;
    // Without this a sleep takes a lock away that holds time still for a task under way: the server loses count of them.
    await environment.connection.testService!.lockTimeSkipping({});
    await client.workflow.start(workflowNames.fleet, {
      workflowId: workflowIds.fleet("web"),
      taskQueue: taskQueues.workflows,
      args: [{ fleet: "web" }],
    });
    const beforeMs = await environment.currentTimeMs();
    const saga = await client.workflow.start(workflowNames.bootstrapHost, {
      workflowId: workflowIds.bootstrapHost("web", "web-1"),
      taskQueue: taskQueues.workflows,
      args: [args],
    });
    // Minute by minute: time that skips by itself, while nothing runs for a moment, can reach the end of every workflow.
    await eventually("the saga has ended", async () => {
      await environment.sleep("1m");
      return (await saga.describe()).status.name !== "RUNNING";
    });
    const outcome: unknown = await saga.result();
    const tookSeconds = ((await environment.currentTimeMs()) - beforeMs) / 1000;
    expect(outcome).toMatchObject({ outcome: "failed", phase: "boot" });
    expect(tookSeconds).toBeGreaterThan(590);
    expect(tries).toBeGreaterThan(100);
    expect(world.freed).toEqual([{ requestId: "request", ordinal: 0 }]);
    expect(world.machines.size).toBe(0);
  });

  test("a saga that was ended by hand is found out, and its host replaced", async () => {
    let isHeld = true;
    world.before = ({ name, hostId }) => {
      if (isHeld && name === "boot" && hostId.endsWith("-1"))
        throw new ForewarmError("PROVIDER_UNREACHABLE", "not yet");
    };
    world.targets = { serving: 0, standby: 1 };
    const fleet = await newFleet({ client }, { edit: (template) => void (template.demand.step_seconds = 60) });
    const name = fleet.workflowId.slice("fleet/".length);
    const saga = client.workflow.getHandle(workflowIds.bootstrapHost(name, `${name}-1`));
    await eventually("the saga runs", async () => (await saga.describe().catch(() => null)) !== null);
    isHeld = false;
    await saga.terminate("by hand");
    expect(await fleet.describe()).toMatchObject({ counts: { allocating: 1 } });
    const healed = await eventually("replaced", async () => {
      await environment.sleep("2m");
      const now = await fleet.describe();
      return now.claimable === 1 && now.hosts.length === 1 ? now : null;
    });
    expect(healed.hosts[0]!.hostId).toBe(`${name}-2`);
    expect(healed.notices.map(({ text }) => text).join("\n")).toContain("ended without a word");
    expect([...world.machines.keys()]).toEqual([`${name}-2`]);
    await fleet.end();
  });
});

const machine = {
  machineId: "machine-1",
  hostId: "web-1",
  fleet: "web",
  ordinal: 0,
  zone: "a",
  state: "running" as const,
  endpoint: null,
  launchedAtMs: 0,
  digest: "",
  fence: 0,
};
