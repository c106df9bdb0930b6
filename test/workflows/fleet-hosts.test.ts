import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { goldenOf } from "../domain/host/fleet-fixture.ts";
import { ForewarmError } from "../../domain/errors.ts";
import { createRehearsal, type Rehearsal } from "./rehearsal.ts";
import { eventually, executable, newFleet, startLab, untilFleet } from "./running-fleet.ts";
import type { TestFleet, WorkflowLab } from "./running-fleet.ts";

describe.skipIf(executable === "")("single hosts of a running fleet (needs the `temporal` program)", () => {
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

  const hostsIn = async (state: string) => (await fleet.describe()).hosts.filter((host) => host.state === state);

  async function calmFleet(serving: number, standby: number): Promise<void> {
    world.targets = { serving, standby };
    fleet = await newFleet(lab);
    await untilFleet(fleet, "at rest", ({ counts, claimable }) => {
      return (counts.serving ?? 0) === serving && claimable === standby;
    });
  }

  test("a cordoned standby is not claimed nor updated, another is started for it, and it comes back", async () => {
    await calmFleet(0, 2);
    const [held] = await hostsIn("standby");
    expect(await fleet.cordon(held!.hostId)).toEqual({ hostId: held!.hostId, state: "standby" });
    await untilFleet(fleet, "another in its place", ({ claimable }) => claimable === 2);
    await fleet.applyGolden(goldenOf(2));
    const moved = await untilFleet(fleet, "the others are at epoch 2", ({ claimable, golden, goldenChange }) => {
      return claimable === 2 && golden?.epoch === 2 && goldenChange === null;
    });
    expect(moved.hosts.find(({ hostId }) => hostId === held!.hostId)).toMatchObject({ epoch: 1, cordoned: true });
    await expect(fleet.promote(held!.hostId)).rejects.toMatchObject({ code: "POLICY_REFUSED" });
    await fleet.uncordon(held!.hostId);
    await untilFleet(fleet, "it follows, and one too many is retired", ({ hosts }) => {
      return hosts.length === 2 && hosts.every(({ epoch, state }) => epoch === 2 && state === "standby");
    });
  });

  test("a cordoned host goes on serving when demand falls; the others leave", async () => {
    await calmFleet(3, 0);
    const [held] = await hostsIn("serving");
    await fleet.cordon(held!.hostId);
    world.targets = { serving: 1, standby: 0 };
    await untilFleet(fleet, "one serves", ({ counts, hosts }) => counts.serving === 1 && hosts.length === 1);
    expect(await hostsIn("serving")).toMatchObject([{ hostId: held!.hostId }]);
  });

  test("a host in quarantine is verified again, and stays there as long as it fails", async () => {
    await calmFleet(0, 1);
    const [host] = await hostsIn("standby");
    world.before = ({ name, hostId }) => {
      if (hostId === host!.hostId && (name === "refresh" || name === "reverify"))
        throw new ForewarmError("HOST_KEY_CHANGED", "another key");
    };
    await fleet.applyGolden(goldenOf(2));
    await untilFleet(fleet, "quarantined and replaced", ({ counts, claimable }) => {
      return counts.quarantined === 1 && claimable === 1;
    });
    const failures = async () => (await fleet.describe()).notices.filter(({ text }) => text.includes("another key"));
    const before = (await failures()).length;
    await fleet.uncordon(host!.hostId);
    await eventually("it failed again", async () => (await failures()).length > before);
    expect(await hostsIn("quarantined")).toHaveLength(1);
    world.before = () => undefined;
    await fleet.uncordon(host!.hostId);
    await untilFleet(fleet, "it is back", ({ counts }) => counts.quarantined === undefined);
  });

  test("a serving host is replaced: another serves first, then it is drained and its machine freed", async () => {
    await calmFleet(2, 1);
    const [old] = await hostsIn("serving");
    const fewest: number[] = [];
    world.before = ({ name }) => {
      if (name === "publish") fewest.push(world.backends.filter(({ draining }) => !draining).length);
    };
    await fleet.replace(old!.hostId);
    await eventually("its machine is freed", () => !world.machines.has(old!.hostId));
    const after = await untilFleet(fleet, "at rest again", ({ counts, claimable, hosts }) => {
      return counts.serving === 2 && claimable === 1 && hosts.length === 3;
    });
    expect(after.hosts.map(({ hostId }) => hostId)).not.toContain(old!.hostId);
    expect(Math.min(...fewest)).toBeGreaterThanOrEqual(2);
    expect(world.backends.map(({ hostId }) => hostId)).not.toContain(old!.hostId);
  });

  test("a standby and a host in quarantine are replaced at once; unknown, claimed and coming ones are refused", async () => {
    await calmFleet(0, 2);
    const [first] = await hostsIn("standby");
    expect(await fleet.replace(first!.hostId)).toEqual({ hostId: first!.hostId, state: "retiring" });
    await eventually("its machine is freed", () => !world.machines.has(first!.hostId));
    await untilFleet(fleet, "two again", ({ claimable }) => claimable === 2);
    const claimed = await fleet.claim("held");
    await expect(fleet.replace(claimed.kind === "granted" ? claimed.hostId : "")).rejects.toMatchObject({
      code: "POLICY_REFUSED",
    });
    await expect(fleet.replace("fleet-none-1")).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(fleet.cordon("fleet-none-1")).rejects.toMatchObject({ code: "NOT_FOUND" });
  });
});
