import type { History } from "@temporalio/common/lib/proto-utils.js";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { limits } from "../../domain/limits.ts";
import { goldenOf } from "../domain/host/fleet-fixture.ts";
import { createRehearsal, type Rehearsal } from "./rehearsal.ts";
import { createGate, eventually, executable, newFleet, startLab, untilFleet } from "./running-fleet.ts";
import type { TestFleet, WorkflowLab } from "./running-fleet.ts";

describe.skipIf(executable === "")("a fleet over its runs (needs the `temporal` program)", () => {
  let lab: WorkflowLab;
  let world: Rehearsal;
  let fleet: TestFleet;

  beforeAll(async () => {
    lab = await startLab();
  });
  afterAll(() => lab?.stop());
  let gate: ReturnType<typeof createGate>;

  beforeEach(() => {
    gate = createGate();
    world = createRehearsal();
    lab.play(world);
  });
  afterEach(() => {
    gate.open();
    return fleet.end();
  });

  const describeRun = () => lab.client.workflow.getHandle(fleet.workflowId).describe();

  async function untilNextRun(runId: string): Promise<string> {
    return eventually("the fleet continues as new", async () => {
      const now = await describeRun();
      return now.runId !== runId && now.status.name === "RUNNING" ? now.runId : null;
    });
  }

  test("continues as new with twenty bootstraps under way and loses none, nor a claim's answer", async () => {
    world.targets = { serving: 0, standby: 2 };
    fleet = await newFleet(lab, { historyEventsMax: 150 });
    await untilFleet(fleet, "two claimable", ({ claimable }) => claimable === 2);
    const answer = await fleet.claim("before");
    world.before = ({ name }) => (name === "configure" ? gate.passed : undefined);
    world.targets = { serving: 0, standby: 21 };
    await untilFleet(fleet, "twenty under way", ({ counts }) => (counts.allocating ?? 0) >= 20);
    const queued = Array.from({ length: 3 }, (_, index) => `queued-${index}`);
    const taken = await fleet.claim("taken");
    for (const claimId of queued) expect(await fleet.claim(claimId)).toMatchObject({ kind: "queued" });
    const later = await untilNextRun(await untilNextRun((await describeRun()).runId));
    const under = await fleet.describe();
    expect(under).toMatchObject({ waiting: 3, counts: { serving: 2, allocating: world.machines.size - 2 } });
    expect(await fleet.claim("before")).toEqual(answer);
    expect(await fleet.claim("taken")).toEqual(taken);
    gate.open();
    const settled = await untilFleet(fleet, "all twenty arrived", ({ hosts, waiting }) => {
      return waiting === 0 && hosts.every(({ state }) => state === "standby" || state === "serving");
    });
    expect(settled.hosts.map(({ hostId }) => hostId).sort()).toEqual([...world.machines.keys()].sort());
    expect(settled.counts).toEqual({ serving: 5, standby: world.machines.size - 5 });
    expect(world.freed).toEqual([]);
    const late = [];
    for (const claimId of queued) late.push(await fleet.claim(claimId));
    expect(late.every(({ kind }) => kind === "granted")).toBe(true);
    expect(new Set([answer, taken, ...late].map((each) => each.kind === "granted" && each.hostId)).size).toBe(5);
    await untilNextRun(later);
    expect((await fleet.describe()).tick).toBeGreaterThan(settled.tick);
    expect((await describeRun()).searchAttributes["ForewarmEpoch"]).toEqual([1]);
  });

  test("answers claims while it waits for a launch to end before it continues as new", async () => {
    world.targets = { serving: 0, standby: 1 };
    const historyEventsMax = 100;
    fleet = await newFleet(lab, { historyEventsMax });
    await untilFleet(fleet, "one claimable", ({ claimable }) => claimable === 1);
    world.before = ({ name }) => (name === "launch" ? gate.passed : undefined);
    const taken = await fleet.claim("taken");
    expect(taken).toMatchObject({ kind: "granted" });
    expect(await fleet.claim("queued")).toMatchObject({ kind: "queued" });
    const { runId } = await eventually("the run is longer than it may be", async () => {
      const now = await describeRun();
      return now.historyLength > historyEventsMax + 20 && now;
    });
    await fleet.release("taken");
    await eventually("the queued claim has the host that came back", async () => {
      return (await fleet.claim("queued")).kind === "granted";
    });
    expect((await describeRun()).runId).toBe(runId);
    gate.open();
    await untilNextRun(runId);
    expect(await fleet.claim("queued")).toMatchObject({ kind: "granted" });
  });

  test("carries a golden change and what withdrew over its runs", async () => {
    world.targets = { serving: 1, standby: 3 };
    fleet = await newFleet(lab, { historyEventsMax: 100 });
    await untilFleet(fleet, "at rest", ({ claimable, counts }) => claimable === 3 && counts.serving === 1);
    world.before = ({ name }) => (name === "refresh" ? gate.passed : undefined);
    await fleet.applyGolden(goldenOf(2));
    await untilFleet(fleet, "being refreshed", ({ counts }) => counts.refreshing === 2);
    await untilNextRun((await describeRun()).runId);
    expect(await fleet.describe()).toMatchObject({ goldenChange: { to: { epoch: 2 } }, counts: { refreshing: 2 } });
    gate.open();
    const settled = await untilFleet(fleet, "all at epoch 2", ({ hosts, goldenChange }) => {
      return goldenChange === null && hosts.every((host) => host.epoch === 2);
    });
    expect(settled.totals.promotedWithStaleConfiguration).toBe(0);
  });

  test("keeps to the grid of its steps when it continues as new, so that no moment's demand is taken for a step's", async () => {
    const decidedAtMs: number[] = [];
    world.before = ({ name }) => {
      if (name === "decide") decidedAtMs.push(performance.now());
    };
    world.targets = { serving: 0, standby: 1 };
    fleet = await newFleet(lab, { historyEventsMax: 60, edit: (template) => void (template.demand.step_seconds = 1) });
    await untilNextRun(await untilNextRun((await describeRun()).runId));
    const seen = decidedAtMs.length;
    await eventually("another two steps", () => decidedAtMs.length >= seen + 2);
    const gaps = decidedAtMs.slice(2).map((atMs, index) => atMs - decidedAtMs[index + 1]!);
    expect(Math.min(...gaps)).toBeGreaterThan(300);
  });

  function eventsPerTick(history: History): number[] {
    const events = history.events ?? [];
    const starts = events.flatMap((event, index) =>
      event.activityTaskScheduledEventAttributes?.activityType?.name === "decideCapacity" ? [index] : [],
    );
    return starts.slice(1).map((start, index) => start - starts[index]!);
  }

  test("an idle tick costs few events", async () => {
    world.targets = { serving: 0, standby: 1 };
    fleet = await newFleet(lab);
    const { tick } = await untilFleet(fleet, "one claimable", ({ claimable }) => claimable === 1);
    await untilFleet(fleet, "a dozen idle ticks", (now) => now.tick >= tick + 12);
    const perTick = eventsPerTick(await lab.client.workflow.getHandle(fleet.workflowId).fetchHistory()).slice(-10);
    console.info(`events of idle ticks: ${perTick.join(" ")}`);
    expect(perTick).toHaveLength(10);
    expect(Math.max(...perTick)).toBeLessThanOrEqual(limits.historyEventsPerTickMax);
  });
});
