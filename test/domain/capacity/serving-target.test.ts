import { expect, test } from "vitest";
import { hostsNeeded, servingTarget } from "../../../domain/capacity/serving-target.ts";
import { flat, policy } from "./capacity-inputs.ts";

const base = { stepSeconds: 60, servingHosts: 5, policy };

test("demand over usable host capacity, rounded up, within floor and ceiling", () => {
  expect([0, 10, 10.1, 55, 9999].map((demand) => hostsNeeded(demand, policy))).toEqual([1, 1, 2, 6, 50]);
});

test("a rise counts at once", () => {
  expect(servingTarget({ ...base, recentDemand: [...flat(50), 90] })).toBe(9);
});

test("a fall counts only after the whole hold window", () => {
  const after = (steps: number): number =>
    servingTarget({ ...base, servingHosts: 9, recentDemand: [...flat(90), ...flat(20, steps)] });
  expect([1, 10, 11].map(after)).toEqual([9, 9, 2]);
});

test("nothing leaves while history is shorter than the hold, or the newest sample is missing", () => {
  expect(servingTarget({ ...base, recentDemand: flat(20, 3) })).toBe(5);
  expect(servingTarget({ ...base, recentDemand: [...flat(20), null] })).toBe(5);
  expect(servingTarget({ ...base, recentDemand: [null, null] })).toBe(5);
});

test("an older gap does not stop scale-in", () => {
  expect(servingTarget({ ...base, recentDemand: [...flat(20, 12), null, ...flat(20, 5)] })).toBe(2);
});
