import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { bestHindsightKnob, replayDay, type ReplayDay } from "../../simulation/engine.ts";
import { drawLeadTimes } from "../../simulation/lead-times.ts";
import { predictivePolicy, reactivePolicy, staticPolicy, withoutForecastPolicy } from "../../simulation/policies.ts";
import { hitRateOf, type ReplayReport } from "../../simulation/report.ts";
import { createSeededRandom } from "../../domain/seeded-random.ts";
import { cutDay, drawDays, readTrace, resampleTrace, scaleTrace } from "../../simulation/trace.ts";

const seed = 1;
const historySeasons = 14;
const leadTimeSeconds = drawLeadTimes({ p50Seconds: 800, p90Seconds: 1200 }, 50, createSeededRandom(7));

/** Five seeded days of the second half; bounds were tuned on first halves only. */
function daysOf(file: string): ReplayDay[] {
  const text = readFileSync(new URL(`../../examples/traces/${file}.csv`, import.meta.url), "utf8");
  const trace = scaleTrace(resampleTrace(readTrace(text), 300), { peak: 240, trough: null });
  return drawDays(trace, 5, createSeededRandom(seed)).map((day) => {
    const { history, steps, startMs } = cutDay(trace, day);
    return {
      history: history.slice(-historySeasons * 288),
      steps,
      startMs,
      stepSeconds: 300,
      seasonSteps: 288,
      warmUpSteps: 36,
      leadTimeSeconds,
      reverifySeconds: 60,
      seed: day * 1000 + 1,
      policy: {
        perHost: 26,
        targetUtilization: 0.75,
        serviceLevel: 0.99,
        minServing: 1,
        maxHosts: 60,
        standbyMin: 0,
        standbyMax: 40,
        scaleInHoldSeconds: 1800,
        reviewSeconds: 300,
      },
    };
  });
}

interface Compared {
  predictive: ReplayReport;
  reactive: ReplayReport;
  static: ReplayReport;
  without: ReplayReport;
}

function compare(day: ReplayDay): Compared {
  const predictive = replayDay(day, predictivePolicy());
  const target = hitRateOf(predictive);
  const [reactive, fixed] = [reactivePolicy, staticPolicy].map((family) => bestHindsightKnob(family, target, day));
  expect(reactive!.reached && fixed!.reached).toBe(true);
  return {
    predictive,
    reactive: reactive!.report,
    static: fixed!.report,
    without: replayDay(day, withoutForecastPolicy()),
  };
}

function sum(days: Compared[], of: keyof Compared, value: (report: ReplayReport) => number): number {
  return days.reduce((total, day) => total + value(day[of]), 0);
}

const misses = (report: ReplayReport): number => report.claims - report.warm_hits;
const idle = (report: ReplayReport): number => Math.round(report.idle_host_minutes);
const ready = (report: ReplayReport): number => (report.ready_before_needed ?? 0) * report.host_starts;

const idleOf = (days: Compared[], of: keyof Compared): number => sum(days, of, idle);
const readyOf = (days: Compared[], of: keyof Compared): number =>
  sum(days, of, ready) / sum(days, of, (report) => report.host_starts);

function lineOf(file: string, days: Compared[]): string {
  const [claims, missed, without] = [
    sum(days, "predictive", (report) => report.claims),
    sum(days, "predictive", misses),
    sum(days, "without", misses),
  ];
  return (
    `${file} seed ${seed}: claims ${claims}, misses ${missed} (without forecast ${without}), ` +
    `idle host minutes ${idleOf(days, "predictive")} (reactive ${idleOf(days, "reactive")}, static ${idleOf(days, "static")}), ` +
    `ready before needed ${readyOf(days, "predictive").toFixed(3)} (reactive ${readyOf(days, "reactive").toFixed(3)})`
  );
}

describe(`five second-half days, seed ${seed}`, () => {
  test.each(["nyc_taxi_30min", "azure2017_vm_cpu_5min", "google2019_cell_mem_5min"])(
    "%s: few misses, less idle than both comparators at equal or better hit rate, and all of it by the forecast",
    (file) => {
      const days = daysOf(file).map(compare);
      console.log(lineOf(file, days));
      for (const { predictive } of days) {
        expect(misses(predictive)).toBeLessThanOrEqual(Math.max(1, 0.01 * predictive.claims));
      }
      expect(idleOf(days, "predictive")).toBeLessThan(idleOf(days, "reactive"));
      expect(idleOf(days, "predictive")).toBeLessThan(idleOf(days, "static"));
      expect(sum(days, "without", misses)).toBeGreaterThan(sum(days, "predictive", misses));
    },
    120_000,
  );

  test("nyc_taxi_30min: more of the started hosts are ready before they are needed than with a fixed buffer", () => {
    const days = daysOf("nyc_taxi_30min").map(compare);
    expect(readyOf(days, "predictive")).toBeGreaterThan(readyOf(days, "reactive"));
  }, 120_000);
});
