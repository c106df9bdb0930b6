import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { ForewarmError } from "../../domain/errors.ts";
import { workflowIds } from "../../workflows/messages.ts";
import { goldenOf } from "../domain/host/fleet-fixture.ts";
import { createRehearsal, type Rehearsal } from "./rehearsal.ts";
import { createGate, eventually, executable, newFleet, startLab, untilFleet } from "./running-fleet.ts";
import type { TestFleet, WorkflowLab } from "./running-fleet.ts";

describe.skipIf(executable === "")("a golden change on a running fleet (needs the `temporal` program)", () => {
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

  const digests = (): Set<string> => new Set([...world.machines.values()].map((machine) => machine.digest));

  async function fleetOf(serving: number, standby: number): Promise<void> {
    world.targets = { serving, standby };
    fleet = await newFleet(lab);
    await untilFleet(fleet, "serving and standing by", ({ counts, claimable }) => {
      return (counts.serving ?? 0) === serving && claimable === standby;
    });
  }

  test("reaches every host while claims go on, and none is promoted with stale configuration", async () => {
    await fleetOf(3, 6);
    await fleet.applyGolden(goldenOf(2));
    const answers = [];
    for (let index = 0; index < 4; index += 1) answers.push(await fleet.claim(`c${index}`));
    const settled = await untilFleet(fleet, "all at epoch 2", ({ hosts, golden, goldenChange, counts }) => {
      const isCalm = counts.standby === 6 && counts.serving === 7;
      return isCalm && goldenChange === null && golden?.epoch === 2 && hosts.every((host) => host.epoch === 2);
    });
    expect(settled.totals).toMatchObject({ claims: 4, promotedWithStaleConfiguration: 0 });
    expect(digests()).toEqual(new Set(["digest-2"]));
    const granted = answers.flatMap((answer) => (answer.kind === "granted" ? [answer.hostId] : []));
    expect(new Set(granted).size).toBe(granted.length);
    for (const row of world.grants) expect(row.goldenEpoch).toBeGreaterThanOrEqual(1);
  });

  test("keeps half of standby claimable until it is committed, and updates one serving host at a time", async () => {
    await fleetOf(3, 4);
    const gates = new Map<string, ReturnType<typeof createGate>>();
    world.before = async ({ name, hostId }) => {
      if (name !== "refresh") return;
      const gate = createGate();
      gates.set(hostId, gate);
      await gate.passed;
    };
    await fleet.applyGolden(goldenOf(2));
    await eventually("two are being refreshed", () => gates.size === 2);
    expect(await fleet.describe()).toMatchObject({ claimable: 2, counts: { refreshing: 2 }, golden: { epoch: 1 } });
    for (const gate of gates.values()) gate.open();
    await eventually("the rest begins", () => gates.size >= 5);
    const moved = await fleet.describe();
    expect(moved).toMatchObject({ claimable: 2, golden: { epoch: 2 }, goldenChange: null });
    expect(moved.counts).toMatchObject({ refreshing: 2, updating: 1, serving: 2 });
    await untilFleet(fleet, "all at epoch 2", ({ hosts }) => {
      for (const gate of gates.values()) gate.open();
      return hosts.every((host) => host.epoch === 2);
    });
  });

  test("a golden on which no host comes up is superseded by a newer one", async () => {
    await fleetOf(0, 4);
    const gate = createGate();
    world.before = async ({ name, hostId }) => {
      if (name === "refresh") await gate.passed;
      if (name === "reverify" && world.machines.get(hostId)?.digest === "digest-2")
        throw new ForewarmError("INVALID_REQUEST", "it does not start");
    };
    await fleet.applyGolden(goldenOf(2));
    await untilFleet(fleet, "half is being refreshed", ({ counts }) => counts.refreshing === 2);
    expect(await fleet.applyGolden(goldenOf(3))).toMatchObject({ changed: true, goldenEpoch: 3 });
    gate.open();
    const settled = await untilFleet(fleet, "all at epoch 3", ({ hosts, claimable, goldenChange }) => {
      return goldenChange === null && claimable === 4 && hosts.every((host) => host.epoch === 3);
    });
    expect(settled.notices.some(({ text }) => text.includes("update failed"))).toBe(true);
    await expect(fleet.applyGolden(goldenOf(2, "older"))).rejects.toMatchObject({ code: "POLICY_REFUSED" });
  });

  test("a host is updated again as soon as its last update has ended", async () => {
    await fleetOf(0, 1);
    for (let epoch = 2; epoch <= 9; epoch += 2) {
      const gate = createGate();
      world.before = ({ name }) => (name === "refresh" ? gate.passed : undefined);
      await fleet.applyGolden(goldenOf(epoch));
      await untilFleet(fleet, "it is being refreshed", ({ counts }) => counts.refreshing === 1);
      await fleet.applyGolden(goldenOf(epoch + 1));
      gate.open();
      await untilFleet(fleet, "it holds the newer one", ({ hosts, claimable }) => {
        return claimable === 1 && hosts[0]?.epoch === epoch + 1;
      });
    }
    expect(await fleet.describe()).toMatchObject({ hostStarts: 1 });
  });

  test("a golden that moves while a claim is given back reaches that host too", async () => {
    await fleetOf(0, 2);
    const answer = await fleet.claim("one");
    await fleet.applyGolden(goldenOf(2));
    expect(await fleet.release("one")).toMatchObject({ hostId: answer.kind === "granted" ? answer.hostId : null });
    await untilFleet(fleet, "all at epoch 2", ({ hosts, goldenChange, counts }) => {
      return goldenChange === null && (counts.standby ?? 0) >= 2 && hosts.every((host) => host.epoch === 2);
    });
    expect(digests()).toEqual(new Set(["digest-2"]));
  });

  test("a template that changes nothing is told so, and one that is not valid is refused", async () => {
    await fleetOf(0, 1);
    expect(await fleet.applyGolden(goldenOf(1))).toEqual({ templateVersion: 1, changed: false, goldenEpoch: 1 });
    const template = { ...(await fleet.template())!, fleet: "another" };
    const apply = fleet.apply({ template, golden: goldenOf(2), signingKeys: [] });
    await expect(apply).rejects.toMatchObject({ code: "INVALID_REQUEST" });
    expect(await fleet.describe()).toMatchObject({ templateVersion: 1, golden: { epoch: 1 } });
  });

  test("the fleet's page in the Web UI shows targets, hosts and notices, and is found by its epoch", async () => {
    await fleetOf(1, 1);
    await fleet.applyGolden(goldenOf(2));
    await untilFleet(fleet, "all at epoch 2", ({ hosts }) => hosts.every((host) => host.epoch === 2));
    const handle = lab.client.workflow.getHandle(fleet.workflowId);
    const metadata = await eventually("the page shows both hosts", async () => {
      const found = await handle.query<{
        currentDetails: string;
        definition: { updateDefinitions: { name: string; description: string }[] };
      }>("__temporal_workflow_metadata");
      return found.currentDetails.includes("| standby | 1 |") ? found : null;
    });
    expect(metadata.currentDetails).toContain("Targets: **1 serving**, **1 standby** (rehearsal)");
    expect(metadata.currentDetails).toContain("golden configuration moved to epoch 2");
    const updates = metadata.definition.updateDefinitions;
    const verbs = ["applyTemplate", "claim", "cordon", "demote", "promote", "release", "replace", "uncordon"];
    expect(updates.map(({ name }) => name).sort()).toEqual(verbs);
    expect(updates.every(({ description }) => description.length > 0)).toBe(true);
    const name = fleet.workflowId.slice("fleet/".length);
    const query = `ForewarmFleet = "${name}" AND ForewarmEpoch = 2 AND WorkflowType = "updateHost"`;
    await eventually("its updates are found", async () => {
      const found = new Set<string>();
      for await (const { workflowId } of lab.client.workflow.list({ query })) found.add(workflowId);
      return found.has(workflowIds.updateHost(name, `${name}-1`)) && found.size === 2;
    });
  });
});
