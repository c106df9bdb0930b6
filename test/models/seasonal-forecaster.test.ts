import { describe, expect, test } from "vitest";
import type { DemandForecast, Forecaster } from "../../models/forecaster.ts";
import { coverageOf, weightedQuantileLoss, type ScoredForecast } from "../../models/scoring.ts";
import { createSeasonalMedian } from "../../models/seasonal-median.ts";
import { createSeasonalNaive } from "../../models/seasonal-naive.ts";
import { createSeasonalRegression } from "../../models/seasonal-regression.ts";
import { createSeededRandom } from "../../domain/seeded-random.ts";
import { waveAt, waveHistory } from "./demand-series.ts";

const quantiles = [0.1, 0.5, 0.9, 0.99];

function forecastOf(forecaster: Forecaster, horizonSteps = 12, pathCount = 200): DemandForecast {
  const forecast = forecaster.forecast({ horizonSteps, quantiles, pathCount, random: createSeededRandom(5) });
  if ("cannot" in forecast) throw new Error(forecast.cannot);
  return forecast;
}

/** Rolling forecasts over the last `heldOut` steps of a noisy wave. */
function rolling(forecaster: Forecaster, heldOut: number, horizonSteps: number): ScoredForecast[] {
  const { values, ...grid } = waveHistory({ seasons: 12, noise: 0.1, seed: 3 });
  const start = values.length - heldOut;
  forecaster.fit({ ...grid, values: values.slice(0, start) });
  const scored: ScoredForecast[] = [];
  for (let step = start; step + horizonSteps <= values.length; step += 1) {
    scored.push({
      actual: values.slice(step, step + horizonSteps),
      quantiles: forecastOf(forecaster, horizonSteps, 0).quantiles,
    });
    forecaster.update(values[step] ?? null);
  }
  return scored;
}

describe.each([
  ["seasonal-naive", createSeasonalNaive],
  ["seasonal-median", createSeasonalMedian],
  ["seasonal-regression", createSeasonalRegression],
])("%s", (name, create) => {
  test("follows the season: near its own shape, far from yesterday's mean", () => {
    const forecaster = create();
    expect(forecaster.fit(waveHistory({ seasons: 8, noise: 0.01 }))).toBeNull();
    const forecast = forecastOf(forecaster, 48);
    expect(forecast.model).toBe(name);
    forecast.quantiles.forEach((row, ahead) => expect(row[1]! / waveAt(ahead, 96)).toBeCloseTo(1, 1));
  });

  test("shapes are as asked; quantiles rise; nothing is negative", () => {
    const forecaster = create();
    forecaster.fit(waveHistory({ seasons: 5, noise: 0.5 }));
    const forecast = forecastOf(forecaster, 60);
    expect(forecast.quantiles).toHaveLength(60);
    expect(forecast.paths).toHaveLength(200);
    for (const row of forecast.quantiles) expect(row).toEqual(row.toSorted((left, right) => left - right));
    expect(Math.min(...forecast.paths.flat())).toBeGreaterThanOrEqual(0);
  });

  test("80 % bands and the 99 % quantile cover what they promise on unseen steps", () => {
    const scored = rolling(create(), 192, 6);
    const band = coverageOf(scored, 2) - coverageOf(scored, 0);
    expect(band).toBeGreaterThan(0.72);
    expect(band).toBeLessThan(0.88);
    expect(coverageOf(scored, 3)).toBeGreaterThan(0.97);
  });

  test("the maximum over a window of a path is spread like real maxima, not like independent steps", () => {
    const { values, ...grid } = waveHistory({ seasons: 10, noise: 0 });
    const random = createSeededRandom(9);
    const level = Array.from({ length: 10 }, () => 0.7 + 0.6 * random());
    const shifted = values.map((value, step) => (value ?? 0) * level[Math.floor(step / 96)]!);
    const forecaster = create();
    forecaster.fit({ ...grid, values: shifted });
    const path = forecastOf(forecaster, 12).paths;
    const ratios = path.map(
      (steps) =>
        Math.max(...steps.map((value, ahead) => value / waveAt(ahead, 96))) /
        Math.min(...steps.map((value, ahead) => value / waveAt(ahead, 96))),
    );
    expect(ratios.toSorted((left, right) => left - right)[100]!).toBeLessThan(1.3);
  });

  test("where days differ in level, a new level is followed within two hours", () => {
    const { values, ...grid } = waveHistory({ seasons: 12, noise: 0.02 });
    const random = createSeededRandom(4);
    const levels = values.map(() => 0.6 + 0.8 * random());
    const forecaster = create();
    forecaster.fit({
      ...grid,
      values: values.map((value, step) => (value ?? 0) * levels[Math.floor((step + 48) / 96)]!),
    });
    for (let step = 0; step < 48; step += 1) forecaster.update(waveAt(step, 96) * levels[12]!);
    for (let step = 48; step < 56; step += 1) forecaster.update(waveAt(step, 96) * 1.8);
    expect(forecastOf(forecaster, 2).quantiles[0]![1]! / (waveAt(56, 96) * 1.8)).toBeGreaterThan(0.85);
  });

  test("gaps in history and in updates are borne", () => {
    const { values, ...grid } = waveHistory({ seasons: 8 });
    const forecaster = create();
    expect(forecaster.fit({ ...grid, values: values.map((value, step) => (step % 50 < 5 ? null : value)) })).toBeNull();
    forecaster.update(null);
    for (const row of forecastOf(forecaster).quantiles) expect(row.every((value) => Number.isFinite(value))).toBe(true);
  });

  test("demand that was always 0 is forecast as 0", () => {
    const forecaster = create();
    const { values, ...grid } = waveHistory({ seasons: 5 });
    forecaster.fit({ ...grid, values: values.map(() => 0) });
    expect(Math.max(...forecastOf(forecaster).paths.flat())).toBeCloseTo(0, 6);
  });

  test("updating step by step and restoring the snapshot give the same forecast", () => {
    const { values, ...grid } = waveHistory({ seasons: 6 });
    const forecaster = create();
    forecaster.fit({ ...grid, values: values.slice(0, -12) });
    for (const value of values.slice(-12)) forecaster.update(value);
    const restored = create();
    restored.fit(JSON.parse(JSON.stringify(forecaster.snapshot())));
    const [left, right] = [forecastOf(forecaster).quantiles, forecastOf(restored).quantiles];
    left.forEach((row, ahead) => row.forEach((value, q) => expect(value / right[ahead]![q]!).toBeCloseTo(1, 1)));
  });

  test("state stays bounded over many updates", () => {
    const history = waveHistory({ seasons: 4 });
    const forecaster = create();
    forecaster.fit(history);
    for (let step = 0; step < 96 * 5; step += 1) forecaster.update(waveAt(step, 96));
    expect(forecaster.snapshot().values.length).toBeLessThan(history.values.length + 96);
  });

  test("says why it cannot: too little history, no season, too long a horizon, never fitted", () => {
    const request = { horizonSteps: 200, quantiles, pathCount: 0, random: () => 0 };
    expect(create().forecast(request)).toEqual({ cannot: "not fitted yet" });
    expect(create().fit(waveHistory({ seasons: 0.5 }))?.cannot).toMatch(
      /^history covers 0\.50 seasons; at least \d needed$/,
    );
    expect(create().fit({ ...waveHistory({ seasons: 4 }), seasonSteps: 0 })?.cannot).toContain("season");
    const forecaster = create();
    forecaster.fit(waveHistory({ seasons: 4 }));
    expect(forecaster.forecast(request)).toEqual({ cannot: "the horizon is longer than one season" });
  });
});

test("right at one season the naive says that it has no past errors yet", () => {
  const forecaster = createSeasonalNaive();
  forecaster.fit(waveHistory({ seasons: 1 }));
  const forecast = forecaster.forecast({ horizonSteps: 6, quantiles, pathCount: 1, random: () => 0 });
  expect(forecast).toEqual({ cannot: "only 0 past forecasts to learn errors from; at least 24 needed" });
});

test("the median beats the naive where single days are noisy", () => {
  const loss = (forecaster: Forecaster): number => weightedQuantileLoss(rolling(forecaster, 96, 6), quantiles);
  expect(loss(createSeasonalMedian())).toBeLessThan(loss(createSeasonalNaive()));
});

test("14 days of 5-minute steps: a fresh fit within 200 ms, a tick within 20 ms", () => {
  const history = waveHistory({ seasons: 14, seasonSteps: 288 });
  const forecaster = createSeasonalRegression();
  forecaster.fit(history);
  const fitMs = best(5, () => forecaster.fit(history));
  forecastOf(forecaster, 60);
  const tickMs = best(10, () => {
    forecaster.update(100);
    forecaster.forecast({ horizonSteps: 60, quantiles: [], pathCount: 200, random: createSeededRandom(1) });
  });
  expect(fitMs).toBeLessThan(200);
  expect(tickMs).toBeLessThan(20);
});

function best(times: number, work: () => void): number {
  return Math.min(
    ...Array.from({ length: times }, () => {
      const started = performance.now();
      work();
      return performance.now() - started;
    }),
  );
}
