import * as fc from "fast-check";
import { expect, test } from "vitest";
import { planPool, type PoolForPlan } from "../../../domain/capacity/plan-pool.ts";

const pool: PoolForPlan = { serving: 5, claimable: 2, otherStandby: 0, inFlight: 0, leaving: 0, maxHosts: 20 };
const nothing = { promote: 0, launch: 0, demote: 0, retire: 0, shortfall: 0 };

test("a pool on target stays as it is", () => {
  expect(planPool({ servingTarget: 5, standbyTarget: 2 }, pool)).toEqual(nothing);
});

test("missing serving hosts come from standby, which is refilled", () => {
  expect(planPool({ servingTarget: 7, standbyTarget: 2 }, pool)).toEqual({ ...nothing, promote: 2, launch: 2 });
});

test("what standby cannot give is reported as shortfall", () => {
  expect(planPool({ servingTarget: 9, standbyTarget: 0 }, pool)).toEqual({
    ...nothing,
    promote: 2,
    launch: 2,
    shortfall: 2,
  });
});

test("stale standby is not promoted but counts against launches", () => {
  const stale = { ...pool, claimable: 0, otherStandby: 2 };
  expect(planPool({ servingTarget: 6, standbyTarget: 1 }, stale)).toEqual({ ...nothing, shortfall: 1 });
});

test("hosts in flight count: nothing is launched twice", () => {
  expect(planPool({ servingTarget: 5, standbyTarget: 4 }, { ...pool, inFlight: 2 })).toEqual(nothing);
});

test("surplus serving hosts go back to standby and fill it instead of launches", () => {
  expect(planPool({ servingTarget: 3, standbyTarget: 4 }, pool)).toEqual({ ...nothing, demote: 2 });
});

test("surplus standby is retired, but not for hosts still in flight or about to be demoted", () => {
  expect(planPool({ servingTarget: 5, standbyTarget: 1 }, pool)).toEqual({ ...nothing, retire: 1 });
  expect(planPool({ servingTarget: 5, standbyTarget: 2 }, { ...pool, inFlight: 3 })).toEqual(nothing);
  expect(planPool({ servingTarget: 4, standbyTarget: 2 }, pool)).toEqual({ ...nothing, demote: 1 });
});

test("hosts that are leaving still take room", () => {
  expect(planPool({ servingTarget: 5, standbyTarget: 8 }, { ...pool, maxHosts: 10, leaving: 2 }).launch).toBe(1);
});

test("no plan goes over the bound, promotes more than is claimable, or retires what it promotes", () => {
  const count = fc.nat({ max: 30 });
  const pools = fc.record({
    serving: count,
    claimable: count,
    otherStandby: count,
    inFlight: count,
    leaving: count,
    maxHosts: fc.integer({ min: 1, max: 60 }),
  });
  fc.assert(
    fc.property(fc.record({ servingTarget: count, standbyTarget: count }), pools, (decision, some) => {
      const plan = planPool(decision, some);
      const hosts = some.serving + some.claimable + some.otherStandby + some.inFlight + some.leaving;
      expect(Math.min(...Object.values(plan))).toBeGreaterThanOrEqual(0);
      expect(plan.promote + plan.retire).toBeLessThanOrEqual(some.claimable);
      expect(plan.launch === 0 || hosts + plan.launch <= some.maxHosts).toBe(true);
      expect(plan.promote > 0 && plan.demote > 0).toBe(false);
      expect(plan.promote + plan.shortfall).toBe(Math.max(0, decision.servingTarget - some.serving));
    }),
  );
});
