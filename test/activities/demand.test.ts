import { describe, expect, test } from "vitest";
import { createDemandForecaster } from "../../activities/demand-forecaster.ts";
import { demandSince } from "../../activities/fleet-observation.ts";
import type { LoadBalancerStats } from "../../providers/load-balancer/load-balancer.ts";

function statsOf(change: Partial<LoadBalancerStats> = {}): LoadBalancerStats {
  return {
    stateVersion: 1,
    atMs: 11_000,
    startedAtMs: 500,
    offeredRequests: 150,
    answeredRequests: 150,
    failedRequests: 0,
    inFlight: 0,
    latencyHistogram: [],
    backends: [],
    ...change,
  };
}

const before = { startedAtMs: 500, atMs: 1000, offered: 50 };

describe("demandSince", () => {
  test("is the requests per second offered since the last tick", () => {
    expect(demandSince(before, statsOf(), 1000)).toBe(10);
  });

  test.each([
    ["there was no tick before", null, statsOf()],
    ["the balancer started anew and counts from nothing", before, statsOf({ startedAtMs: 900 })],
    ["no time has passed", before, statsOf({ atMs: 1000 })],
    ["less than half a step has passed", before, statsOf({ atMs: 1400 })],
  ])("is not known when %s", (_, counters, stats) => {
    expect(demandSince(counters, stats, 1000)).toBeNull();
  });
});

const seasonSteps = 24;
const stepMs = 60_000;
const wave = (step: number): number => 100 + 50 * Math.sin((2 * Math.PI * step) / seasonSteps);
const seriesOf = (steps: number, first = 0) => ({
  fleet: "web",
  startMs: first * stepMs,
  stepMs,
  values: Array.from({ length: steps }, (_, index) => wave(first + index)),
});
const ask = { fleet: "web", seasonSteps, horizonSteps: 6, quantiles: [0.1, 0.5, 0.9] };

describe("the demand forecaster", () => {
  test("says why not while the history is too short", () => {
    expect(createDemandForecaster().forecast({ ...ask, series: seriesOf(5) })).toEqual({ cannot: expect.any(String) });
  });

  test("a model kept over many ticks sees every sample, also those of ticks that were missed", () => {
    const kept = createDemandForecaster();
    kept.forecast({ ...ask, series: seriesOf(72) });
    kept.forecast({ ...ask, series: seriesOf(73) });
    const after = kept.forecast({ ...ask, series: seriesOf(80) });
    const fresh = createDemandForecaster().forecast({ ...ask, series: seriesOf(80) });
    if ("cannot" in after || "cannot" in fresh) throw new Error("there is history enough");
    const medians = after.quantiles.map((step) => step[1]!);
    for (const [index, median] of medians.entries()) expect(Math.abs(median - wave(80 + index))).toBeLessThan(10);
    expect(medians.map(Math.round)).toEqual(fresh.quantiles.map((step) => Math.round(step[1]!)));
  });

  test("the same history gives the same forecast, and equal history does not teach it twice", () => {
    const forecaster = createDemandForecaster();
    const first = forecaster.forecast({ ...ask, series: seriesOf(72) });
    expect(forecaster.forecast({ ...ask, series: seriesOf(72) })).toEqual(first);
    expect(createDemandForecaster().forecast({ ...ask, series: seriesOf(72) })).toEqual(first);
  });

  test("older days that are loaded later are learnt, and fleets do not share a model", () => {
    const forecaster = createDemandForecaster();
    expect(forecaster.forecast({ ...ask, series: seriesOf(5, 72) })).toHaveProperty("cannot");
    expect(forecaster.forecast({ ...ask, series: seriesOf(77) })).toHaveProperty("quantiles");
    expect(forecaster.forecast({ ...ask, fleet: "other", series: seriesOf(5) })).toHaveProperty("cannot");
  });
});
