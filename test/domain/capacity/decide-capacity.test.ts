import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decideCapacity, horizonStepsFor } from "../../../domain/capacity/decide-capacity.ts";
import { flat, inputOf, policy } from "./capacity-inputs.ts";

const none = { ...policy, standbyMin: 0 };
const bare = { serving: 5, standby: 0, bootstrappingAgesSeconds: [] };

describe("standby from the forecast", () => {
  test("covers the most hosts needed before a launch of the next review could be ready", () => {
    const path = [50, 80, 120, 500, 500, 500];
    const decision = decideCapacity(inputOf({ forecastPaths: [path], policy: none }));
    expect(decision).toMatchObject({ servingTarget: 5, standbyTarget: 3, basis: "forecast" });
    expect(decision.explanation).toBe("standby 3: q0.975 of hosts needed within 180 s is 8, 5 serve");
  });

  test("a longer lead time looks further ahead", () => {
    const path = [50, 80, 120, 200, 500, 500];
    const standby = (leadSeconds: number): number =>
      decideCapacity(inputOf({ forecastPaths: [path], leadTimeSeconds: [leadSeconds], policy: none, pool: bare }))
        .standbyTarget;
    expect([60, 120, 180, 240].map(standby)).toEqual([0, 3, 7, 15]);
  });

  test("a burst in the window counts even when demand falls again", () => {
    const decision = decideCapacity(
      inputOf({ forecastPaths: [[50, 90, 50, 50, 50]], leadTimeSeconds: [240], policy: none }),
    );
    expect(decision.standbyTarget).toBe(4);
  });

  test("the service level decides which share of futures is covered", () => {
    const forecastPaths = Array.from({ length: 100 }, (_, index) => flat(index < 90 ? 50 : 100));
    const standby = (serviceLevel: number): number =>
      decideCapacity(inputOf({ forecastPaths, pool: bare, policy: { ...none, serviceLevel } })).standbyTarget;
    expect(standby(0.99)).toBe(5);
    expect(standby(0.9)).toBe(0);
  });

  test("slow bootstraps among the lead times are weighed in, not only their median", () => {
    const forecastPaths = [[50, 50, 50, 50, 50, 100, 100]];
    const leads = (slow: number): number[] => Array.from({ length: 100 }, (_, index) => (index < slow ? 360 : 60));
    const standby = (slow: number): number =>
      decideCapacity(inputOf({ forecastPaths, leadTimeSeconds: leads(slow), policy: none, pool: bare })).standbyTarget;
    expect(standby(20)).toBe(5);
    expect(standby(2)).toBe(0);
  });

  test("a default lead time stands in until one was measured", () => {
    const path = [50, 50, 90, 500];
    expect(decideCapacity(inputOf({ forecastPaths: [path], leadTimeSeconds: [], policy: none })).standbyTarget).toBe(4);
  });

  test("floors and ceilings hold", () => {
    const rising = inputOf({ forecastPaths: [flat(2000)] });
    expect(decideCapacity(rising).standbyTarget).toBe(policy.standbyMax);
    expect(decideCapacity({ ...rising, policy: { ...policy, maxHosts: 12 } }).standbyTarget).toBe(7);
    expect(decideCapacity(inputOf({ forecastPaths: [flat(1)] })).standbyTarget).toBe(policy.standbyMin);
  });

  test("never asks for more than the largest rise of the past", () => {
    expect(decideCapacity(inputOf({ forecastPaths: [flat(500)], riseLimitHosts: 3 })).standbyTarget).toBe(3);
  });

  test("launches expected to fail are added, but only to those still to be launched", () => {
    const input = inputOf({ forecastPaths: [flat(90)], policy: none, launchFailureShare: 0.2 });
    expect(decideCapacity({ ...input, pool: bare }).standbyTarget).toBe(9);
    expect(decideCapacity({ ...input, pool: { ...bare, standby: 4 } }).standbyTarget).toBe(4);
  });
});

describe("scale-in of standby", () => {
  const later = [...flat(50, 6), ...flat(80, 10)];
  const pool = { serving: 5, standby: 3, bootstrappingAgesSeconds: [] };

  test("waits while the longer horizon still needs the hosts", () => {
    const decision = decideCapacity(inputOf({ forecastPaths: [later], pool, policy: none }));
    expect(decision.standbyTarget).toBe(3);
    expect(decision.explanation).toContain("kept for use soon after");
  });

  test("does not launch for the longer horizon", () => {
    expect(
      decideCapacity(inputOf({ forecastPaths: [later], pool: { ...pool, standby: 0 }, policy: none })).standbyTarget,
    ).toBe(0);
  });

  test("goes ahead when the longer horizon is lower as well", () => {
    expect(decideCapacity(inputOf({ forecastPaths: [flat(50)], pool, policy: none })).standbyTarget).toBe(0);
  });

  test("a host started and not used yet is kept for a while, then let go", () => {
    const standby = (age: number): number =>
      decideCapacity(inputOf({ pool: { ...pool, unusedStandbyAgesSeconds: [age] }, policy: none })).standbyTarget;
    expect(standby(600)).toBe(1);
    expect(standby(100 * 120)).toBe(0);
  });
});

describe("without a forecast", () => {
  test("a buffer learned from history comes first, then the template's minimum", () => {
    expect(decideCapacity(inputOf({ forecastPaths: null, fallbackBufferHosts: 4 }))).toMatchObject({
      standbyTarget: 4,
      basis: "buffer",
    });
    expect(decideCapacity(inputOf({ forecastPaths: null }))).toMatchObject({ standbyTarget: 1, basis: "static" });
  });

  test("a missing newest sample holds both counts", () => {
    const pool = { serving: 9, standby: 3, bootstrappingAgesSeconds: [10, 20] };
    const decision = decideCapacity(inputOf({ recentDemand: [...flat(50), null], pool }));
    expect(decision).toMatchObject({ servingTarget: 9, standbyTarget: 5 });
  });
});

test("a decision is valid for two reviews", () => {
  expect(decideCapacity(inputOf()).validUntilMs).toBe(1_000_000 + 120_000);
});

test("the forecast asked for reaches beyond the longest lead time by the hold", () => {
  expect(horizonStepsFor(inputOf({ leadTimeSeconds: [120, 240] }))).toBe((240 + 60 + 600) / 60);
});

test("serving and standby never exceed the bound of hosts, whatever comes", () => {
  const demand = fc.option(fc.double({ min: 0, max: 5000, noNaN: true }), { nil: null });
  const property = fc.property(
    fc.array(demand, { minLength: 1, maxLength: 20 }),
    fc.array(fc.array(fc.double({ min: 0, max: 5000, noNaN: true }), { minLength: 1, maxLength: 8 }), {
      minLength: 1,
      maxLength: 5,
    }),
    fc.nat({ max: 60 }),
    (recentDemand, forecastPaths, serving) => {
      const decision = decideCapacity(
        inputOf({ recentDemand, forecastPaths, pool: { serving, standby: 3, bootstrappingAgesSeconds: [] } }),
      );
      expect(decision.servingTarget + decision.standbyTarget).toBeLessThanOrEqual(policy.maxHosts);
      expect(decision.servingTarget).toBeGreaterThanOrEqual(policy.minServing);
      expect(decision.standbyTarget).toBeGreaterThanOrEqual(0);
    },
  );
  fc.assert(property);
});

test("more demand in every future never lowers standby", () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0, max: 400, noNaN: true }), { minLength: 4, maxLength: 8 }),
      fc.double({ min: 0, max: 200, noNaN: true }),
      (path, more) => {
        const standby = (paths: number[][]): number => decideCapacity(inputOf({ forecastPaths: paths })).standbyTarget;
        expect(standby([path.map((value) => value + more)])).toBeGreaterThanOrEqual(standby([path]));
      },
    ),
  );
});
