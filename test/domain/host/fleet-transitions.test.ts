import { array, assert, boolean, constantFrom, integer, property, record, uniqueArray } from "fast-check";
import { describe, expect, it } from "vitest";
import type {
  BootstrapOutcome,
  FleetState,
  HostRecord,
  UpdateOutcome,
  WaitingClaim,
} from "../../../domain/host/fleet-state.ts";
import { hostIdOf } from "../../../domain/host/fleet-state.ts";
import {
  claimHost,
  claimableHosts,
  demoteHost,
  endBootstrap,
  endUpdate,
  grantWaiting,
  isUnfilled,
  planHosts,
  removeHost,
  rotation,
  takeHost,
  withdrawDemandClaims,
} from "../../../domain/host/fleet-transitions.ts";
import { hostStates } from "../../../domain/host/host-state.ts";
import { limits } from "../../../domain/limits.ts";
import { fleetOf, goldenOf, hostOf, templateOf } from "./fleet-fixture.ts";

const claimOf = (claimId: string, source: WaitingClaim["source"] = "operator") => ({
  claimId,
  source,
  requestedAtMs: 5000,
});

const standbyHosts = (count: number): HostRecord[] => Array.from({ length: count }, (_, index) => hostOf(index + 1));

function bootstrapOutcome(change: Partial<BootstrapOutcome> = {}): BootstrapOutcome {
  const verified = { epoch: 1, digest: "digest-1", verifiedAtMs: 9000 };
  return { hostId: "web-1", outcome: "standby", phase: "verify", reason: "", ...verified, ...change };
}

function updateOutcome(change: Partial<UpdateOutcome> = {}): UpdateOutcome {
  return {
    hostId: "web-1",
    outcome: "settled",
    code: "",
    wanted: "digest-2",
    reason: "",
    epoch: 2,
    digest: "digest-2",
    verifiedAtMs: 9000,
    ...change,
  };
}

const snapshot = (state: FleetState): FleetState => structuredClone(state);

describe("claimHost", () => {
  it("gives no host to two claims, and the same claim the same answer, in any order of claims", () => {
    const ids = array(integer({ min: 1, max: 12 }), { maxLength: 60 });
    assert(
      property(integer({ min: 0, max: 8 }), ids, (count, asked) => {
        const state = fleetOf(standbyHosts(count));
        const answers = new Map<string, number>();
        for (const id of asked) {
          const outcome = claimHost(state, claimOf(`c${id}`));
          if (outcome.kind !== "granted") continue;
          const before = answers.get(`c${id}`);
          expect(outcome.repeated).toBe(before !== undefined);
          expect(before ?? outcome.host.ordinal).toBe(outcome.host.ordinal);
          answers.set(`c${id}`, outcome.host.ordinal);
        }
        expect(new Set(answers.values()).size).toBe(answers.size);
        expect(answers.size).toBe(Math.min(count, new Set(asked).size));
        expect(state.totals).toMatchObject({ claims: new Set(asked).size, warmHits: answers.size });
      }),
    );
  });

  it("takes the newest epoch, then the longest verified, then the lowest ordinal", () => {
    const host = record({ epoch: integer({ min: 1, max: 3 }), verifiedAtMs: integer({ min: 1, max: 4 }) });
    assert(
      property(array(host, { minLength: 1, maxLength: 8 }), (hosts) => {
        const state = fleetOf(hosts.map((each, index) => hostOf(index + 1, each)));
        const given = hosts.map((_, index) => claimHost(state, claimOf(`c${index}`)));
        const order = given.map((outcome) => (outcome.kind === "granted" ? outcome.host : hostOf(0)));
        for (const [index, next] of order.slice(1).entries()) {
          const previous = order[index]!;
          const rank = (each: HostRecord): number[] => [-each.epoch, each.verifiedAtMs, each.ordinal];
          expect(rank(previous) < rank(next) || compare(rank(previous), rank(next)) < 0).toBe(true);
        }
      }),
    );
  });

  it("gives out only verified standby that holds the golden content, whatever its epoch", () => {
    const state = fleetOf([
      hostOf(1, { state: "serving" }),
      hostOf(2, { digest: "digest-0" }),
      hostOf(3, { verifiedAtMs: 0 }),
      hostOf(4, { epoch: 7 }),
    ]);
    expect(claimHost(state, claimOf("a"))).toMatchObject({ kind: "granted", host: { ordinal: 4 } });
    expect(claimHost(state, claimOf("b"))).toEqual({ kind: "queued", position: 1 });
    expect(claimHost(fleetOf(standbyHosts(1), { golden: null }), claimOf("a"))).toEqual({
      kind: "queued",
      position: 1,
    });
  });

  it("keeps the place of a waiting claim that asks again, and lets nobody overtake it", () => {
    const state = fleetOf([]);
    expect(claimHost(state, claimOf("a"))).toEqual({ kind: "queued", position: 1 });
    expect(claimHost(state, claimOf("b"))).toEqual({ kind: "queued", position: 2 });
    state.hosts.push(hostOf(1));
    expect(claimHost(state, claimOf("c"))).toEqual({ kind: "queued", position: 3 });
    expect(claimHost(state, claimOf("a"))).toEqual({ kind: "queued", position: 1 });
    expect(grantWaiting(state, 6000).map(({ claim, host }) => [claim.claimId, host.ordinal])).toEqual([["a", 1]]);
    expect(claimHost(state, claimOf("a"))).toMatchObject({ kind: "granted", repeated: true, host: { ordinal: 1 } });
    expect(state.totals).toMatchObject({ claims: 3, warmHits: 0, waited: 1 });
  });

  it("counts no claim of the first fill, whether it is granted at once, later or withdrawn", () => {
    const state = fleetOf(standbyHosts(1));
    expect(isUnfilled(state)).toBe(true);
    claimHost(state, claimOf("at-once", "fill"));
    claimHost(state, claimOf("later", "fill"));
    claimHost(state, claimOf("withdrawn", "fill"));
    state.hosts.push(hostOf(2));
    grantWaiting(state, 6000);
    expect(withdrawDemandClaims(state, 1).map(({ claimId }) => claimId)).toEqual(["withdrawn"]);
    expect(state.totals).toMatchObject({ claims: 0, warmHits: 0, waited: 0, withdrawn: 0 });
    expect(rotation(state)).toHaveLength(2);
    expect(isUnfilled(state)).toBe(false);
  });

  it("never answers a claim with a host that it gave back, not even one that another claim holds now", () => {
    const state = fleetOf(standbyHosts(1));
    claimHost(state, claimOf("a"));
    const [host] = state.hosts;
    host!.state = "serving";
    demoteHost(state, host!, { next: "standby", nowMs: 6000 });
    expect(claimHost(state, claimOf("a"))).toEqual({ kind: "ended" });
    endUpdate(state, host!, { outcome: updateOutcome({ digest: "digest-1", epoch: 1 }), nowMs: 7000 });
    expect(claimHost(state, claimOf("b"))).toMatchObject({ kind: "granted", host: { ordinal: 1 } });
    expect(claimHost(state, claimOf("a"))).toEqual({ kind: "ended" });
  });

  it("remembers the answer of a claim that is held, however many came and went after it", () => {
    const state = fleetOf(standbyHosts(2));
    claimHost(state, claimOf("held"));
    const other = state.hosts[1]!;
    for (let index = 0; index < limits.claimsRememberedMax + 50; index += 1) {
      takeHost(state, claimOf(`c${index}`), { host: other, nowMs: 1 });
      Object.assign(other, { state: "standby", claimId: null });
    }
    expect(state.granted).toHaveLength(limits.claimsRememberedMax);
    expect(claimHost(state, claimOf("held"))).toMatchObject({ kind: "granted", repeated: true, host: { ordinal: 1 } });
  });

  it("counts a promotion of stale configuration, which takeHost alone can make", () => {
    const state = fleetOf([hostOf(1, { digest: "digest-0" })]);
    takeHost(state, claimOf("a"), { host: state.hosts[0]!, nowMs: 1 });
    expect(state.totals.promotedWithStaleConfiguration).toBe(1);
  });
});

function compare(left: number[], right: number[]): number {
  const at = left.findIndex((value, index) => value !== right[index]);
  return at < 0 ? 0 : left[at]! - right[at]!;
}

describe("grantWaiting", () => {
  it("grants as many as there are hosts, oldest claim first, and leaves the rest in order", () => {
    assert(
      property(integer({ min: 0, max: 6 }), integer({ min: 0, max: 6 }), (hosts, claims) => {
        const waiting = Array.from({ length: claims }, (_, index) => claimOf(`c${index}`));
        const state = fleetOf(standbyHosts(hosts), { waiting: [...waiting] });
        const grants = grantWaiting(state, 6000);
        expect(grants.map(({ claim }) => claim)).toEqual(waiting.slice(0, hosts));
        expect(state.waiting).toEqual(waiting.slice(hosts));
        expect(new Set(grants.map(({ host }) => host.ordinal)).size).toBe(Math.min(hosts, claims));
        expect(grants.every(({ claim, host }) => host.claimId === claim.claimId && host.used)).toBe(true);
      }),
    );
  });

  it("gives a demand claim a host that no claim holds by name", () => {
    const state = fleetOf(standbyHosts(1), { waiting: [claimOf("demand/web/1", "demand")] });
    grantWaiting(state, 6000);
    expect(state.hosts[0]).toMatchObject({ state: "promoting", claimId: null });
    expect(state.granted).toEqual([]);
  });
});

describe("withdrawDemandClaims", () => {
  const mixed = array(constantFrom("demand" as const, "operator" as const), { maxLength: 12 });

  it("takes the newest demand claims back and no others; none when asked for none", () => {
    assert(
      property(mixed, integer({ min: 0, max: 15 }), (sources, count) => {
        const waiting = sources.map((source, index) => claimOf(`c${index}`, source));
        const state = fleetOf([], { waiting: [...waiting] });
        const demand = waiting.filter((claim) => claim.source === "demand");
        const withdrawn = withdrawDemandClaims(state, count);
        expect(withdrawn).toEqual(count === 0 ? [] : demand.slice(-count));
        expect(state.waiting).toEqual(waiting.filter((claim) => !withdrawn.includes(claim)));
        expect(state.totals.withdrawn).toBe(Math.min(count, demand.length));
      }),
    );
  });
});

describe("endBootstrap", () => {
  it("brings a host from any step of its bootstrap to verified standby", () => {
    for (const from of hostStates.slice(1, 7)) {
      const state = fleetOf([hostOf(1, { state: from, epoch: 0, digest: "", verifiedAtMs: 0, next: "standby" })]);
      endBootstrap(state, state.hosts[0]!, { outcome: bootstrapOutcome(), nowMs: 9500 });
      expect(state.hosts[0]).toMatchObject({
        state: "standby",
        sinceMs: 9500,
        epoch: 1,
        verifiedAtMs: 9000,
        next: null,
      });
    }
  });

  it.each(["failed", "quarantined"] as const)(
    "leaves a host %s with a notice of the phase and the reason",
    (outcome) => {
      const state = fleetOf([hostOf(1, { state: "allocating", epoch: 0, digest: "", verifiedAtMs: 0 })]);
      const ended = bootstrapOutcome({ outcome, phase: "boot", reason: "TIMEOUT: it never came up" });
      endBootstrap(state, state.hosts[0]!, { outcome: ended, nowMs: 9500 });
      expect(state.hosts[0]).toMatchObject({ state: outcome, verifiedAtMs: 0 });
      expect(state.notices).toEqual([{ atMs: 9500, text: "web-1: boot failed: TIMEOUT: it never came up" }]);
    },
  );

  it("changes nothing when it is told twice, or of a host that went on", () => {
    for (const from of hostStates.slice(8)) {
      for (const outcome of ["standby", "failed", "quarantined"] as const) {
        const state = fleetOf([hostOf(1, { state: from })]);
        const before = snapshot(state);
        endBootstrap(state, state.hosts[0]!, { outcome: bootstrapOutcome({ outcome }), nowMs: 9500 });
        expect(state).toEqual(before);
      }
    }
  });
});

describe("endUpdate", () => {
  it.each([
    ["refreshing", "standby"],
    ["draining", "standby"],
    ["quarantined", "standby"],
    ["updating", "serving"],
  ] as const)("brings a %s host back to %s with what it was verified to hold", (from, to) => {
    const state = fleetOf([hostOf(1, { state: from, next: "standby" })]);
    endUpdate(state, state.hosts[0]!, { outcome: updateOutcome(), nowMs: 9500 });
    expect(state.hosts[0]).toMatchObject({ state: to, epoch: 2, digest: "digest-2", verifiedAtMs: 9000, next: null });
    const before = snapshot(state);
    endUpdate(state, state.hosts[0]!, { outcome: updateOutcome({ epoch: 9, digest: "other" }), nowMs: 9900 });
    expect(state).toEqual(before);
  });

  it("gives a host up whose update failed, and ignores the failure of one that went on", () => {
    const state = fleetOf([hostOf(1, { state: "refreshing" }), hostOf(2, { state: "serving" })]);
    const failed = { outcome: updateOutcome({ outcome: "failed", reason: "VERIFY_FAILED: http" }), nowMs: 9500 };
    endUpdate(state, state.hosts[0]!, failed);
    endUpdate(state, state.hosts[1]!, failed);
    expect(state.hosts.map((host) => host.state)).toEqual(["failed", "serving"]);
    expect(state.notices.map((notice) => notice.text)).toEqual(["web-1: update failed: VERIFY_FAILED: http"]);
  });
});

describe("planHosts", () => {
  it("numbers hosts without a repeat and keeps zones within one of each other", () => {
    const zones = uniqueArray(constantFrom("a", "b", "c", "d"), { minLength: 1, maxLength: 4 });
    assert(
      property(zones, array(integer({ min: 0, max: 5 }), { maxLength: 6 }), (names, batches) => {
        const state = fleetOf([], { template: templateOf({ zones: names }), nextOrdinal: 1 });
        for (const count of batches) planHosts(state, count, { nowMs: 1000 });
        const total = batches.reduce((sum, count) => sum + count, 0);
        expect(state.hosts.map((host) => host.ordinal)).toEqual(Array.from({ length: total }, (_, index) => index + 1));
        const perZone = names.map((zone) => state.hosts.filter((host) => host.zone === zone).length);
        expect(Math.max(...perZone) - Math.min(...perZone)).toBeLessThanOrEqual(1);
      }),
    );
  });

  it("keeps to the zones it is told", () => {
    const state = fleetOf([hostOf(1, { zone: "b" })], { nextOrdinal: 2 });
    expect(planHosts(state, 3, { nowMs: 1, zones: ["b", "c"] }).map((host) => host.zone)).toEqual(["c", "b", "c"]);
  });

  it("never gives the number of a removed host again", () => {
    const state = fleetOf([], { nextOrdinal: 1 });
    const [host] = planHosts(state, 1, { nowMs: 1000 });
    host!.state = "retiring";
    removeHost(state, host!, 2000);
    expect(state.hosts).toEqual([]);
    expect(hostIdOf("web", planHosts(state, 1, { nowMs: 3000 })[0]!.ordinal)).toBe("web-2");
  });

  it("refuses before a template is known", () => {
    expect(() => planHosts(fleetOf([], { template: null }), 1, { nowMs: 0 })).toThrow(
      expect.objectContaining({ code: "INVARIANT" }),
    );
  });
});

describe("rotation", () => {
  it("holds the hosts that users' requests reach", () => {
    const state = fleetOf(hostStates.map((name, index) => hostOf(index + 1, { state: name })));
    expect(rotation(state).map((host) => host.state)).toEqual(["promoting", "serving", "updating", "draining"]);
  });

  it("frees a demoted host of its claim", () => {
    assert(
      property(boolean(), (retire) => {
        const state = fleetOf([hostOf(1, { state: "serving", claimId: "a" })]);
        demoteHost(state, state.hosts[0]!, { next: retire ? "retire" : "standby", nowMs: 1 });
        expect(state.hosts[0]).toMatchObject({ state: "draining", claimId: null, next: retire ? "retire" : "standby" });
        expect(claimableHosts(state)).toEqual([]);
      }),
    );
  });

  it("is unchanged by a golden that moved on", () => {
    const state = fleetOf([hostOf(1, { state: "serving" })], { golden: goldenOf(2) });
    expect(rotation(state)).toHaveLength(1);
  });
});
