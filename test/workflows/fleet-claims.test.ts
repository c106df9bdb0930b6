import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { ForewarmError } from "../../domain/errors.ts";
import { hostLostSignal } from "../../workflows/messages.ts";
import { createRehearsal, type Rehearsal } from "./rehearsal.ts";
import { createGate, eventually, executable, newFleet, startLab, untilFleet } from "./running-fleet.ts";
import type { TestFleet, WorkflowLab } from "./running-fleet.ts";

describe.skipIf(executable === "")("claims on a running fleet (needs the `temporal` program)", () => {
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

  async function granted(claimId: string): Promise<string> {
    const answer = await fleet.claim(claimId);
    expect(answer.kind).toBe("granted");
    return answer.kind === "granted" ? answer.hostId : "";
  }

  test("a template fills standby, and a claim puts one of its hosts into rotation", async () => {
    world.targets = { serving: 0, standby: 3 };
    fleet = await newFleet(lab);
    const filled = await untilFleet(fleet, "three claimable", ({ claimable }) => claimable === 3);
    expect(filled).toMatchObject({ counts: { standby: 3 }, hostStarts: 3, golden: { epoch: 1 }, mode: "act" });
    const hostId = await granted("one");
    expect(world.backends).toEqual([{ hostId, epoch: 1, draining: false }]);
    expect(world.grants).toMatchObject([{ claimId: "one", hostId, kind: "warm", epoch: 1, goldenEpoch: 1 }]);
    expect(await granted("one")).toBe(hostId);
    expect(world.grants).toHaveLength(1);
  });

  test("a claim without standby waits in line, is granted by the same id, and given back by it", async () => {
    fleet = await newFleet(lab);
    expect(await fleet.claim("first")).toMatchObject({ kind: "queued", position: 1 });
    expect(await fleet.claim("second")).toMatchObject({ kind: "queued", position: 2 });
    expect(await fleet.claim("first")).toMatchObject({ kind: "queued", position: 1 });
    await untilFleet(fleet, "both granted", ({ totals, waiting }) => totals.waited === 2 && waiting === 0);
    const hosts = [await granted("first"), await granted("second")];
    expect(new Set(hosts).size).toBe(2);
    expect(world.grants).toHaveLength(2);
    expect(world.grants).toMatchObject([
      { claimId: "first", kind: "waited" },
      { claimId: "second", kind: "waited" },
    ]);
    expect(await fleet.release("first")).toEqual({ claimId: "first", hostId: hosts[0] });
    await eventually("the host leaves rotation", () => world.backends.every(({ hostId }) => hostId !== hosts[0]));
    await expect(fleet.claim("first")).rejects.toMatchObject({ code: "CLAIM_REFUSED" });
    expect(await fleet.release("first")).toEqual({ claimId: "first", hostId: null });
  });

  test("who waits does not wait for the next step, nor does the place of a lost host", async () => {
    const hourSeconds = 3600;
    world.targets = { serving: 1, standby: 1 };
    fleet = await newFleet(lab, { edit: (template) => void (template.demand.step_seconds = hourSeconds) });
    await untilFleet(
      fleet,
      "one decision is carried out",
      ({ counts }) => counts.serving === 1 && counts.standby === 1,
    );
    await granted("from-standby");
    expect(await fleet.claim("started-for-it")).toMatchObject({ kind: "queued" });
    await untilFleet(fleet, "a host was started for the claim", ({ waiting }) => waiting === 0);
    const { hosts } = await fleet.describe();
    const serving = hosts.find(({ state, claimId }) => state === "serving" && claimId === null);
    await lab.client.workflow
      .getHandle(fleet.workflowId)
      .signal(hostLostSignal, { hostId: serving!.hostId, reason: "gone" });
    const after = await untilFleet(fleet, "another serves", ({ hosts: now, counts }) => {
      return counts.serving === 3 && now.every(({ hostId }) => hostId !== serving!.hostId);
    });
    expect(after.tick).toBeLessThanOrEqual(2);
  });

  test("a claim that the balancer does not take is told why, and recorded once it does", async () => {
    world.targets = { serving: 0, standby: 1 };
    fleet = await newFleet(lab);
    await untilFleet(fleet, "one claimable", ({ claimable }) => claimable === 1);
    world.before = ({ name }) => {
      if (name === "publish") throw new ForewarmError("PORT_IN_USE", "127.0.0.1:8080 is taken");
    };
    await expect(fleet.claim("one")).rejects.toMatchObject({ code: "PORT_IN_USE", message: "127.0.0.1:8080 is taken" });
    world.before = () => undefined;
    await eventually("it is recorded", () => world.grants.length > 0);
    expect(world.grants).toMatchObject([{ claimId: "one", kind: "warm" }]);
    expect(await fleet.claim("one")).toMatchObject({ kind: "granted", hostId: world.grants[0]!.hostId });
  });

  test("fifty claims at once through one client get fifty hosts", async () => {
    world.targets = { serving: 0, standby: 50 };
    fleet = await newFleet(lab);
    await untilFleet(fleet, "fifty claimable", ({ claimable }) => claimable === 50);
    const startedMs = performance.now();
    const took: number[] = [];
    const hosts = await Promise.all(
      Array.from({ length: 50 }, async (_, index) => {
        const hostId = await granted(`c${index}`);
        took.push(performance.now() - startedMs);
        return hostId;
      }),
    );
    console.info(`50 claims at once: last after ${Math.max(...took).toFixed(0)} ms, median ${took[25]!.toFixed(0)} ms`);
    expect(new Set(hosts).size).toBe(50);
    expect(world.backends).toHaveLength(50);
    expect((await fleet.describe()).totals).toMatchObject({ claims: 50, warmHits: 50, waited: 0 });
    expect(new Set(world.grants.map(({ hostId }) => hostId)).size).toBe(50);
  });

  test("a claim released while its host is still on its way into rotation gives the host back", async () => {
    world.targets = { serving: 0, standby: 1 };
    fleet = await newFleet(lab);
    await untilFleet(fleet, "one claimable", ({ claimable }) => claimable === 1);
    let publishes = 0;
    const gate = createGate();
    world.before = async ({ name }) => {
      if (name === "publish" && publishes++ === 0) await gate.passed;
    };
    const claimed = granted("one");
    await eventually("the balancer is being told", () => publishes > 0);
    const released = fleet.release("one");
    await eventually("the release has come", async () => (await fleet.describe()).counts.promoting === 1);
    gate.open();
    expect(await released).toEqual({ claimId: "one", hostId: await claimed });
    await untilFleet(fleet, "standby again", ({ claimable }) => claimable === 1);
  });

  test("demand is served by claims of its own, which end when demand does", async () => {
    world.targets = { serving: 1, standby: 1 };
    fleet = await newFleet(lab);
    await untilFleet(fleet, "one serving", ({ counts, claimable }) => counts.serving === 1 && claimable === 1);
    expect((await fleet.describe()).totals).toMatchObject({ claims: 0, warmHits: 0, waited: 0 });
    expect(world.grants).toEqual([]);
    world.targets = { serving: 3, standby: 1 };
    await untilFleet(fleet, "three serving", ({ counts, claimable }) => counts.serving === 3 && claimable === 1);
    world.targets = { serving: 1, standby: 1 };
    await untilFleet(fleet, "one serving", ({ counts }) => counts.serving === 1 && counts.standby === 1);
    await eventually("surplus is retired", () => world.machines.size === 2);
    expect((await fleet.describe()).totals).toMatchObject({ claims: 2, promotedWithStaleConfiguration: 0 });
    expect(world.grants.map(({ claimId }) => claimId.startsWith("demand/"))).toEqual([true, true]);
  });

  test("demand that falls before its host is ready withdraws its claim and says so", async () => {
    const gate = createGate();
    world.targets = { serving: 1, standby: 0 };
    fleet = await newFleet(lab);
    await untilFleet(fleet, "one serving", ({ counts }) => counts.serving === 1);
    world.before = async ({ name }) => (name === "boot" ? gate.passed : undefined);
    world.targets = { serving: 3, standby: 0 };
    await untilFleet(fleet, "two waiting", ({ waiting }) => waiting === 2);
    world.targets = { serving: 1, standby: 0 };
    const calm = await untilFleet(fleet, "none waiting", ({ waiting }) => waiting === 0);
    expect(calm.totals).toMatchObject({ claims: 2, withdrawn: 2, warmHits: 0, waited: 0 });
    gate.open();
  });

  test("a lost host is replaced and its machine freed", async () => {
    world.targets = { serving: 2, standby: 1 };
    fleet = await newFleet(lab);
    const { hosts } = await untilFleet(fleet, "two serving", ({ counts }) => counts.serving === 2);
    const hostId = hosts.find((host) => host.state === "serving")!.hostId;
    world.lost.push({ hostId, reason: "the provider reports it terminated", by: "provider" });
    await eventually("its machine is freed", () => !world.machines.has(hostId));
    const healed = await untilFleet(fleet, "two serving, and the lost one gone", (now) => {
      return now.counts.serving === 2 && now.hosts.every((host) => host.hostId !== hostId);
    });
    expect(healed.notices.some(({ text }) => text.includes(hostId))).toBe(true);
    expect(world.backends.map((backend) => backend.hostId)).not.toContain(hostId);
  });

  test("named hosts are promoted and demoted by request, and refused in the wrong state", async () => {
    world.targets = { serving: 0, standby: 2 };
    fleet = await newFleet(lab);
    const { hosts } = await untilFleet(fleet, "two claimable", ({ claimable }) => claimable === 2);
    const hostId = hosts[1]!.hostId;
    expect(await fleet.promote(hostId)).toEqual({ hostId, state: "serving" });
    await expect(fleet.promote(hostId)).rejects.toMatchObject({ code: "POLICY_REFUSED" });
    expect(await fleet.demote(hostId)).toEqual({ hostId, state: "draining" });
    await expect(fleet.demote(hosts[0]!.hostId)).rejects.toMatchObject({ code: "POLICY_REFUSED" });
    await expect(fleet.promote("nobody-1")).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(fleet.claim("no spaces allowed")).rejects.toMatchObject({ code: "CLAIM_REFUSED" });
  });
});
