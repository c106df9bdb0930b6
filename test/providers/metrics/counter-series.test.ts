import { array, assert, integer, property } from "fast-check";
import { describe, expect, it } from "vitest";
import { counterSeries, type CounterReading } from "../../../providers/metrics/load-balancer/counter-series.ts";

const reading = (atMs: number, count: number, startedAtMs = 0): CounterReading => ({ atMs, startedAtMs, count });
const grid = (toMs: number, gapMs = 5000): Parameters<typeof counterSeries>[1] => ({
  fromMs: 0,
  toMs,
  stepMs: 1000,
  gapMs,
});

describe("series from a rising counter", () => {
  it("is the mean rate of each step, also between irregular readings", () => {
    const readings = [reading(0, 0), reading(500, 10), reading(1500, 30), reading(2000, 30), reading(3000, 90)];
    expect(counterSeries(readings, grid(3000))).toEqual({ startMs: 0, stepMs: 1000, values: [20, 10, 60] });
  });

  it("marks steps before the first and after the last reading as gaps", () => {
    expect(counterSeries([reading(900, 5), reading(2100, 29)], grid(4000)).values).toEqual([null, 20, null, null]);
    expect(counterSeries([], grid(2000)).values).toEqual([null, null]);
  });

  it("answers only whole steps", () => {
    expect(counterSeries([reading(0, 0), reading(2600, 26)], grid(2600)).values).toEqual([10, 10]);
    expect(counterSeries([], grid(-1)).values).toEqual([]);
  });

  it("leaves a gap where the counter began anew, and never a negative rate", () => {
    const readings = [reading(0, 100), reading(1000, 120), reading(2500, 3, 2000), reading(4000, 18, 2000)];
    expect(counterSeries(readings, grid(4000)).values).toEqual([20, null, null, 10]);
  });

  it("does not guess between readings too far apart, but knows the total when both edges are known", () => {
    const readings = [reading(0, 0), reading(1000, 10), reading(9000, 90), reading(10_000, 100)];
    expect(counterSeries(readings, grid(10_000)).values).toEqual([10, ...Array.from({ length: 8 }, () => null), 10]);
    expect(counterSeries(readings, { fromMs: 0, toMs: 10_000, stepMs: 10_000, gapMs: 5000 }).values).toEqual([10]);
  });

  it("keeps the number of requests whatever the readings", () => {
    const steps = array(integer({ min: 1, max: 700 }), { minLength: 5, maxLength: 40 });
    assert(
      property(steps, integer({ min: 1, max: 50 }), (spacingsMs, perReading) => {
        let atMs = 0;
        const readings = [
          reading(0, 0),
          ...spacingsMs.map((ms, index) => reading((atMs += ms), (index + 1) * perReading)),
        ];
        const end = readings.at(-1)!;
        const exact = { fromMs: 0, toMs: end.atMs, stepMs: end.atMs / 4, gapMs: 5000 };
        const { values, stepMs } = counterSeries(readings, exact);
        const total = values.reduce<number>((sum, value) => sum + (value! * stepMs) / 1000, 0);
        expect(total).toBeCloseTo(end.count, 6);
      }),
    );
  });
});
