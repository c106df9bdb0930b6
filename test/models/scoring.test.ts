import { expect, test } from "vitest";
import { coverageOf, pinballLoss, quantileOfSorted, weightedQuantileLoss } from "../../models/scoring.ts";

test("pinball loss charges under-forecasts by the probability and over-forecasts by the rest", () => {
  expect(pinballLoss(0.9, 10, 8)).toBeCloseTo(1.8);
  expect(pinballLoss(0.9, 8, 10)).toBeCloseTo(0.2);
  expect(pinballLoss(0.5, 4, 4)).toBe(0);
});

test("weighted quantile loss of the median is the absolute error over the demand; gaps are left out", () => {
  const forecasts = [{ actual: [10, null, 30], quantiles: [[12], [999], [27]] }];
  expect(weightedQuantileLoss(forecasts, [0.5])).toBeCloseTo(5 / 40);
  expect(weightedQuantileLoss([{ actual: [null], quantiles: [[1]] }], [0.5])).toBeNaN();
});

test("coverage counts what came at or below the quantile", () => {
  const forecasts = [{ actual: [1, 2, 3, 4], quantiles: [[2], [2], [2], [2]] }];
  expect(coverageOf(forecasts, 0)).toBe(0.5);
  expect(coverageOf([], 0)).toBeNaN();
});

test("quantiles are linear between neighbours", () => {
  expect(quantileOfSorted([1, 2, 3], 0.5)).toBe(2);
  expect(quantileOfSorted([0, 10], 0.25)).toBe(2.5);
  expect(quantileOfSorted([], 0.5)).toBeNaN();
});
