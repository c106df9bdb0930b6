import { array, assert, constantFrom, integer, property, record } from "fast-check";
import { describe, expect, it } from "vitest";
import type { FleetState, HostRecord } from "../../../domain/host/fleet-state.ts";
import {
  claimHost,
  claimableHosts,
  endUpdate,
  grantWaiting,
  moveHost,
} from "../../../domain/host/fleet-transitions.ts";
import { isHeldBack, planGoldenSteps, proposeGolden, refuseGolden } from "../../../domain/host/golden-change.ts";
import { fleetOf, goldenOf, hostOf, templateOf } from "./fleet-fixture.ts";

interface Pool {
  standby: number;
  serving: number;
  percent: number;
}

function changing({ standby, serving, percent }: Pool): FleetState {
  const hosts = Array.from({ length: standby + serving }, (_, index) =>
    hostOf(index + 1, { state: index < standby ? "standby" : "serving" }),
  );
  const template = templateOf({ maxUpdatingPercent: percent });
  return fleetOf(hosts, { template, goldenChange: { to: goldenOf(2) } });
}

/** The content that each host was last given. */
const given = new Map<HostRecord, string>();

/** What the fleet does with the steps, until nothing more can be done at once. */
function follow(state: FleetState): void {
  for (;;) {
    const steps = planGoldenSteps(state);
    if (!steps.commit) {
      for (const host of [...steps.refresh, ...steps.update]) given.set(host, steps.golden!.digest);
      for (const host of steps.refresh) Object.assign(host, { state: "refreshing", next: "standby" });
      if (steps.refresh.length > 0) checkHalf(state);
      for (const host of steps.update) Object.assign(host, { state: "updating", next: "serving" });
      return;
    }
    state.golden = state.goldenChange!.to;
    state.goldenChange = null;
  }
}

const isUnderWay = (host: HostRecord): boolean => host.state === "refreshing" || host.state === "updating";

/** Ends one change under way, well or badly; the target is what it was started with. */
function finish(state: FleetState, pick: number, outcome: "settled" | "failed"): void {
  const under = state.hosts.filter(isUnderWay);
  const host = under[pick % Math.max(1, under.length)];
  if (host === undefined) return;
  const to = state.goldenChange?.to ?? state.golden!;
  const ended = {
    hostId: `web-${host.ordinal}`,
    outcome,
    code: outcome === "failed" ? "VERIFY_FAILED" : "",
    wanted: given.get(host) ?? to.digest,
    reason: "",
    epoch: to.epoch,
    digest: to.digest,
    verifiedAtMs: 2,
  };
  endUpdate(state, host, { outcome: ended, nowMs: 2 });
  if (host.state === "failed") state.hosts = state.hosts.filter((other) => other !== host);
}

const pools = record({
  standby: integer({ min: 0, max: 9 }),
  serving: integer({ min: 0, max: 25 }),
  percent: integer({ min: 1, max: 100 }),
});

const events = array(
  record({
    kind: constantFrom(
      "settled" as const,
      "settled" as const,
      "failed" as const,
      "claim" as const,
      "promoted" as const,
    ),
    pick: integer({ min: 0, max: 30 }),
  }),
  { maxLength: 60 },
);

function checkBudget(state: FleetState): void {
  const serving = state.hosts.filter((host) => host.state === "serving" || host.state === "updating");
  const updating = serving.filter((host) => host.state === "updating").length;
  const percent = state.template!.golden.max_updating_percent;
  expect(updating).toBeLessThanOrEqual(Math.max(1, Math.floor((serving.length * percent) / 100)));
}

/**
 * Whenever the change takes hosts out of the claimable set before it is committed, half of standby stays claimable.
 * Claims may take that half afterwards; the change may not.
 */
function checkHalf(state: FleetState): void {
  if (state.goldenChange === null) return;
  const standby = state.hosts.filter((host) => host.state === "standby" || host.state === "refreshing").length;
  const taken = standby - claimableHosts(state).length;
  expect(taken).toBeLessThanOrEqual(Math.ceil(standby / 2));
}

/** A golden that failed is on its way to no further host unless at least as many hold it as failed with it. */
function checkProven(state: FleetState): void {
  const wanted = state.goldenChange?.to ?? state.golden!;
  if (!isHeldBack(state, wanted)) return;
  expect(planGoldenSteps(state)).toMatchObject({ refresh: [], update: [], commit: false });
}

describe("a golden change", () => {
  it("takes half of standby, moves the golden, then takes the other half and the serving hosts", () => {
    const state = changing({ standby: 4, serving: 10, percent: 20 });
    follow(state);
    expect(state.hosts.filter((host) => host.state === "refreshing")).toHaveLength(2);
    expect(state.golden?.epoch).toBe(1);
    finish(state, 0, "settled");
    follow(state);
    expect(state.golden?.epoch).toBe(1);
    finish(state, 0, "settled");
    follow(state);
    expect(state.golden?.epoch).toBe(2);
    expect(claimableHosts(state)).toHaveLength(2);
    expect(state.hosts.filter((host) => host.state === "refreshing")).toHaveLength(2);
    expect(state.hosts.filter((host) => host.state === "updating")).toHaveLength(2);
  });

  it("moves at once where no standby is", () => {
    const state = changing({ standby: 0, serving: 3, percent: 10 });
    follow(state);
    expect(state.golden?.epoch).toBe(2);
    expect(state.hosts.filter((host) => host.state === "updating")).toHaveLength(1);
  });

  it.each([1, 4])("that fails on all of %i standby hosts is not committed and reaches no serving host", (standby) => {
    const state = changing({ standby, serving: 5, percent: 100 });
    follow(state);
    while (state.hosts.some(isUnderWay)) {
      finish(state, 0, "failed");
      follow(state);
    }
    expect(state).toMatchObject({ golden: { epoch: 1 }, goldenChange: { to: { epoch: 2 } } });
    expect(state.hosts.filter(({ state: now }) => now === "serving")).toHaveLength(5);
    expect(state.notices.map(({ text }) => text).join()).toContain("epoch 2 is held back");
    state.hosts.push(hostOf(20));
    follow(state);
    expect(state.hosts.some(isUnderWay)).toBe(false);
    expect(proposeGolden(state, goldenOf(2))).toBe(true);
    follow(state);
    expect(state.hosts.some(isUnderWay)).toBe(true);
  });

  it("that fails on the first serving host without standby goes no further", () => {
    const state = changing({ standby: 0, serving: 6, percent: 10 });
    follow(state);
    finish(state, 0, "failed");
    follow(state);
    expect(state.hosts.filter(isUnderWay)).toEqual([]);
    expect(state.hosts).toHaveLength(5);
  });

  it("is not blamed for a host that nobody reaches", () => {
    const state = changing({ standby: 2, serving: 0, percent: 10 });
    follow(state);
    const host = state.hosts.find(isUnderWay)!;
    const lost = {
      hostId: "web-1",
      outcome: "failed" as const,
      code: "HOST_UNREACHABLE",
      wanted: "digest-2",
      reason: "",
    };
    endUpdate(state, host, { outcome: { ...lost, epoch: 0, digest: "", verifiedAtMs: 0 }, nowMs: 2 });
    follow(state);
    expect(state.hosts.filter(isUnderWay)).toHaveLength(1);
  });

  it("lets equal content under a newer epoch be: its hosts are claimable and nothing is installed", () => {
    const state = changing({ standby: 3, serving: 3, percent: 100 });
    state.goldenChange = { to: goldenOf(2, "digest-1") };
    follow(state);
    expect(state.golden?.epoch).toBe(2);
    expect(state.hosts.filter(isUnderWay)).toEqual([]);
    expect(claimableHosts(state)).toHaveLength(3);
  });

  it("keeps the budgets and ends with every host at the golden, however its events interleave", () => {
    assert(
      property(pools, events, (pool, happened) => {
        const state = changing(pool);
        let claims = 0;
        follow(state);
        for (const { kind, pick } of happened) {
          if (kind === "claim") claimHost(state, { claimId: `c${++claims}`, source: "operator", requestedAtMs: 1 });
          else if (kind === "promoted") {
            const host = state.hosts.find((other) => other.state === "promoting");
            if (host !== undefined) moveHost(state, host, { to: "serving", nowMs: 1 });
          } else finish(state, pick, kind);
          grantWaiting(state, 1);
          follow(state);
          checkBudget(state);
          checkProven(state);
          expect(state.totals.promotedWithStaleConfiguration).toBe(0);
        }
        let left = 500;
        for (
          ;
          left > 0 && (state.goldenChange !== null || state.hosts.some((host) => host.digest !== "digest-2"));
          left -= 1
        ) {
          // People look at a golden that is held back, and say that it is to go on.
          const wanted = state.goldenChange?.to ?? state.golden!;
          if (isHeldBack(state, wanted)) proposeGolden(state, wanted);
          for (const host of state.hosts.filter((other) => other.state === "promoting"))
            moveHost(state, host, { to: "serving", nowMs: 1 });
          finish(state, left, "settled");
          grantWaiting(state, 1);
          follow(state);
          checkBudget(state);
        }
        expect(left).toBeGreaterThan(0);
        expect(state.hosts.filter(isUnderWay)).toEqual([]);
      }),
    );
  });
});

describe("proposeGolden", () => {
  it("starts a change, and takes the same content again as no change", () => {
    const state = fleetOf([hostOf(1)]);
    expect(proposeGolden(state, goldenOf(1))).toBe(false);
    expect(proposeGolden(state, goldenOf(2))).toBe(true);
    expect(proposeGolden(state, goldenOf(2))).toBe(false);
    expect(state).toMatchObject({ golden: { epoch: 1 }, goldenChange: { to: { epoch: 2 } } });
  });

  it("takes the same content signed anew in place of the old signature, and installs nothing", () => {
    const state = fleetOf([hostOf(1), hostOf(2, { state: "serving" })]);
    expect(proposeGolden(state, goldenOf(2, "digest-1"))).toBe(true);
    follow(state);
    expect(state).toMatchObject({ golden: { epoch: 2, bundle: "bundle-2" }, goldenChange: null });
    expect(state.hosts.filter(isUnderWay)).toEqual([]);
    state.goldenChange = { to: goldenOf(3) };
    expect(proposeGolden(state, goldenOf(4, "digest-3"))).toBe(true);
    expect(state).toMatchObject({ golden: { epoch: 2 }, goldenChange: { to: { epoch: 4 } } });
  });

  it("lets a newer golden supersede one that no host reaches", () => {
    const state = changing({ standby: 4, serving: 0, percent: 10 });
    follow(state);
    expect(proposeGolden(state, goldenOf(3))).toBe(true);
    for (const _ of [1, 2]) finish(state, 0, "failed");
    follow(state);
    while (state.hosts.some(isUnderWay)) {
      finish(state, 0, "settled");
      follow(state);
    }
    expect(state).toMatchObject({ golden: { epoch: 3 }, goldenChange: null });
    expect(state.hosts.map((host) => host.digest)).toEqual(["digest-3", "digest-3"]);
  });

  it("calls a change off when the content in force comes back", () => {
    const state = changing({ standby: 2, serving: 0, percent: 10 });
    follow(state);
    finish(state, 0, "settled");
    expect(proposeGolden(state, goldenOf(3, "digest-1"))).toBe(true);
    follow(state);
    expect(state).toMatchObject({ golden: { epoch: 3, digest: "digest-1" }, goldenChange: null });
    expect(claimableHosts(state)).toHaveLength(1);
    expect(state.hosts.filter(isUnderWay)).toHaveLength(1);
  });

  it("refuses other content that is not newer than what is in force or on its way", () => {
    const state = changing({ standby: 2, serving: 0, percent: 10 });
    expect(refuseGolden(state, goldenOf(2, "other"))).toBe("epoch 2 is not newer than epoch 2");
    expect(refuseGolden(state, goldenOf(1, "other"))).toBe("epoch 1 is not newer than epoch 2");
    expect(refuseGolden(state, goldenOf(2))).toBeNull();
    expect(refuseGolden(state, goldenOf(3))).toBeNull();
    expect(refuseGolden(fleetOf([], { golden: null }), goldenOf(1))).toBeNull();
  });
});
