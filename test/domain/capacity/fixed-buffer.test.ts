import { expect, test } from "vitest";
import { learnFixedBuffer, riseLimitLevel } from "../../../domain/capacity/fixed-buffer.ts";
import { launchesFor, upperQuantile } from "../../../domain/capacity/order-statistics.ts";
import { flat, policy } from "./capacity-inputs.ts";

const base = { stepSeconds: 60, leadTimeSeconds: 120, policy, level: 1 };

test("learns the largest rise of need within one lead time", () => {
  expect(learnFixedBuffer({ ...base, values: [...flat(50, 40), 70, 90, ...flat(90, 40)] })).toBe(4);
  expect(learnFixedBuffer({ ...base, values: flat(50, 60) })).toBe(0);
});

test("a rise back to what the scale-in hold kept needs no buffer", () => {
  expect(learnFixedBuffer({ ...base, values: [...flat(90, 30), ...flat(20, 5), ...flat(90, 30)] })).toBe(0);
});

test("the level leaves rare rises out", () => {
  const values = [...flat(50, 500), ...flat(150, 40)];
  expect(learnFixedBuffer({ ...base, values, level: 1 })).toBe(10);
  expect(learnFixedBuffer({ ...base, values, level: 0.9 })).toBe(0);
});

test("windows with gaps are left out; none at all gives no buffer", () => {
  expect(learnFixedBuffer({ ...base, values: [...flat(50, 30), null, ...flat(500, 2), null, ...flat(50, 30)] })).toBe(
    0,
  );
  expect(learnFixedBuffer({ ...base, values: flat(50, 5) })).toBeNull();
});

test("the limit on forecasts is learned at a level above the service level", () => {
  expect(riseLimitLevel(0.99)).toBeCloseTo(0.998);
});

test("upper quantile: the smallest number that the share does not exceed", () => {
  const numbers = [5, 1, 3, 2, 4];
  expect([0.2, 0.5, 0.8, 0.81, 1].map((share) => upperQuantile(numbers, share))).toEqual([1, 3, 4, 5, 5]);
  expect(upperQuantile([], 0.5)).toBeNaN();
});

test("launches for failing starts: enough for the confidence, none wasted without failures", () => {
  expect(launchesFor(3, 0, 0.99)).toBe(3);
  expect(launchesFor(0, 0.5, 0.99)).toBe(0);
  expect(launchesFor(1, 0.1, 0.99)).toBe(2);
  expect(launchesFor(4, 0.2, 0.99)).toBe(9);
});
