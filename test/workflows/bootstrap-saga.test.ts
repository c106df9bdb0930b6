import type { WorkflowHandle } from "@temporalio/client";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { ForewarmError } from "../../domain/errors.ts";
import { bootstrapPhases } from "../../domain/host/host-state.ts";
import { limits } from "../../domain/limits.ts";
import { describeBootstrapQuery, workflowIds } from "../../workflows/messages.ts";
import { createRehearsal, type Rehearsal } from "./rehearsal.ts";
import { createGate, eventually, executable, newFleet, startLab, untilFleet } from "./running-fleet.ts";
import type { TestFleet, WorkflowLab } from "./running-fleet.ts";

describe.skipIf(executable === "")("the bootstrap saga (needs the `temporal` program)", () => {
  let lab: WorkflowLab;
  let world: Rehearsal;
  let fleet: TestFleet;

  beforeAll(async () => {
    lab = await startLab();
  });
  afterAll(() => lab?.stop());
  beforeEach(() => {
    world = createRehearsal();
    lab.play(world);
  });
  afterEach(() => fleet.end());

  const name = (): string => fleet.workflowId.slice("fleet/".length);
  const saga = (ordinal: number): WorkflowHandle =>
    lab.client.workflow.getHandle(workflowIds.bootstrapHost(name(), `${name()}-${ordinal}`));

  /** Starts one host whose first machine fails in a phase; the fleet replaces it, which must not fail. */
  async function failFirstHost(phase: string, error: () => Error): Promise<string> {
    world.targets = { serving: 0, standby: 1 };
    world.before = (step) => {
      if (step.name === phase && step.hostId.endsWith("-1")) throw error();
    };
    fleet = await newFleet(lab);
    return `${name()}-1`;
  }

  test.each(bootstrapPhases)("a host that fails in %s is released by its request id, and replaced", async (phase) => {
    const hostId = await failFirstHost(phase, () => new ForewarmError("INVALID_REQUEST", "no such thing"));
    const healed = await untilFleet(fleet, "the replacement stands by alone", ({ hosts, claimable }) => {
      return claimable === 1 && hosts.every((host) => host.hostId !== hostId);
    });
    const [launch] = world.launches;
    expect(world.freed).toContainEqual({ requestId: launch!.requestId, ordinal: 0 });
    expect(new Set(world.freed.map((freed) => freed.requestId))).toEqual(new Set([launch!.requestId]));
    expect([...world.machines.keys()]).toEqual([`${name()}-2`]);
    expect(healed.notices.map(({ text }) => text)).toContain(
      `${hostId}: ${phase} failed: INVALID_REQUEST: no such thing`,
    );
    expect(world.events).toMatchObject([{ hostId, kind: "bootstrap-failed" }]);
    expect(await saga(1).result()).toMatchObject({ outcome: "failed", phase });
  });

  test("a failure that can pass is tried again within the phase's deadline", async () => {
    let tries = 0;
    world.targets = { serving: 0, standby: 1 };
    world.before = ({ name: step }) => {
      if (step === "connect" && (tries += 1) < 4) throw new ForewarmError("HOST_UNREACHABLE", "not yet");
    };
    fleet = await newFleet(lab);
    await untilFleet(fleet, "standby", ({ claimable }) => claimable === 1);
    expect(tries).toBe(4);
    expect(world.freed).toEqual([]);
  });

  test("a phase that outlives its deadline gives the host up, and another takes its place", async () => {
    world.targets = { serving: 0, standby: 1 };
    world.before = ({ name: step, hostId }) => {
      if (step === "connect" && hostId.endsWith("-1")) throw new ForewarmError("HOST_UNREACHABLE", "refused");
    };
    fleet = await newFleet(lab, { edit: (template) => void (template.bootstrap.deadline_seconds.connect = 0.5) });
    const healed = await untilFleet(fleet, "the replacement stands by alone", ({ hosts, claimable }) => {
      return claimable === 1 && hosts.length === 1;
    });
    // A deadline that passes between two tries is a time-out; one that the next try would miss ends with the last error.
    expect(healed.notices[0]!.text).toMatch(/connect failed: (HOST_UNREACHABLE: refused|TIMEOUT: the deadline passed)/);
  });

  test("a changed host key quarantines the host; its machine stays for a person to look at", async () => {
    const hostId = await failFirstHost("connect", () => new ForewarmError("HOST_KEY_CHANGED", "another key"));
    await untilFleet(fleet, "quarantined and replaced", ({ counts, claimable }) => {
      return counts.quarantined === 1 && claimable === 1;
    });
    expect(world.machines.has(hostId)).toBe(true);
    expect(world.freed).toEqual([]);
    expect(world.events).toMatchObject([{ hostId, kind: "bootstrap-quarantined" }]);
  });

  test("an undo that fails ends the saga as failed, where a search finds it and an event tells it", async () => {
    world.targets = { serving: 0, standby: 1 };
    world.before = ({ name: step, hostId }) => {
      if (!hostId.endsWith("-1")) return;
      if (step === "start") throw new ForewarmError("INVALID_REQUEST", "no such program");
      if (step === "release") throw new ForewarmError("UNAUTHORIZED", "may not terminate");
    };
    fleet = await newFleet(lab);
    await eventually("the saga runs", () =>
      saga(1)
        .describe()
        .then(
          () => true,
          () => false,
        ),
    );
    await expect(saga(1).result()).rejects.toThrow("Workflow execution failed");
    const query = `ForewarmFleet = "${name()}" AND ForewarmPhase = "compensation-failed"`;
    await eventually("the search finds it", async () => {
      const found = lab.client.workflow.list({ query });
      for await (const { workflowId } of found) return workflowId === saga(1).workflowId;
      return false;
    });
    expect(world.events).toMatchObject([
      {
        kind: "compensation-failed",
        message: "start: INVALID_REQUEST: no such program",
        detail: { failedUndos: [expect.stringContaining("release machine")] },
      },
    ]);
    expect((await untilFleet(fleet, "replaced", ({ claimable }) => claimable === 1)).hosts).toHaveLength(1);
  });

  test("a zone without room is told of at once, and the next host is launched in another", async () => {
    world.targets = { serving: 0, standby: 1 };
    world.before = ({ name: step }) => {
      if (step === "launch" && world.launches.at(-1)!.hosts[0]!.zone === "a")
        throw new ForewarmError("INSUFFICIENT_CAPACITY", "the zone is full");
    };
    fleet = await newFleet(lab);
    const healed = await untilFleet(fleet, "standby after all", ({ claimable }) => claimable === 1);
    expect(healed.notices.map(({ text }) => text)).toContain(
      `${name()}-1 was not launched in zone a: the zone is full`,
    );
    expect(healed.hosts.filter((host) => host.claimable).map((host) => host.zone)).toEqual(["b"]);
    expect(healed.hostStarts).toBe(1);
    expect(world.launches.map(({ hosts }) => hosts[0]!.zone)).toEqual(["a", "b"]);
  });

  test("its history stays within the budget, and the Web UI is told what happens", async () => {
    world.targets = { serving: 0, standby: 1 };
    const gate = createGate();
    world.before = ({ name: step }) => (step === "configure" ? gate.passed : undefined);
    fleet = await newFleet(lab);
    const handle = saga(1);
    await eventually("it is configuring", async () => {
      const progress = await handle.query(describeBootstrapQuery).catch(() => null);
      return progress?.phase === "configure" && progress.phases.length === 4;
    });
    const running = await handle.describe();
    expect(await running.staticSummary()).toBe(`bootstrap ${name()}-1 at epoch 1`);
    expect(running.searchAttributes).toMatchObject({
      ForewarmFleet: [name()],
      ForewarmHost: [`${name()}-1`],
      ForewarmPhase: ["configure"],
      ForewarmEpoch: [1],
    });
    const metadata = await handle.query<{
      currentDetails: string;
      definition: { queryDefinitions: { name: string }[] };
    }>("__temporal_workflow_metadata");
    expect(metadata.currentDetails).toMatch(/\| stage \| \d+\.\d\d s \|\n\| \*\*configure\*\* \| running \|/);
    expect(metadata.definition.queryDefinitions.map((query) => query.name)).toContain("describe");
    gate.open();
    await untilFleet(fleet, "standby", ({ claimable }) => claimable === 1);
    await handle.result();
    const { events = [] } = await handle.fetchHistory();
    console.info(`one bootstrap: ${events!.length} history events`);
    expect(events!.length).toBeLessThanOrEqual(limits.historyEventsPerBootstrapMax);
    const summaries = events!
      .filter((event) => event.activityTaskScheduledEventAttributes)
      .map((event) => Buffer.from(event.userMetadata!.summary!.data!).toString("utf8"));
    expect(summaries).toEqual(bootstrapPhases.map((phase) => `"${phase} ${name()}-1"`));
  });
});
