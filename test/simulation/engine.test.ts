import { expect, test } from "vitest";
import type { CapacityDecision } from "../../domain/capacity/capacity-decision.ts";
import { bestHindsightKnob, replayDay, type ReplayDay } from "../../simulation/engine.ts";
import { drawLeadTimes } from "../../simulation/lead-times.ts";
import {
  predictivePolicy,
  reactivePolicy,
  staticPolicy,
  withoutForecastPolicy,
  type ReplayPolicy,
} from "../../simulation/policies.ts";
import { createSeededRandom } from "../../domain/seeded-random.ts";

const policy = {
  perHost: 10,
  targetUtilization: 1,
  serviceLevel: 0.99,
  minServing: 1,
  maxHosts: 30,
  standbyMin: 0,
  standbyMax: 20,
  scaleInHoldSeconds: 300,
  reviewSeconds: 300,
};

/** Twenty quiet 5-minute steps, then the given ones; bootstraps take 12 minutes. */
function dayOf(steps: number[], changes: Partial<ReplayDay> = {}): ReplayDay {
  return {
    history: Array.from({ length: 20 }, () => 15),
    steps,
    startMs: 1_000_000,
    stepSeconds: 300,
    seasonSteps: 288,
    warmUpSteps: 10,
    policy,
    leadTimeSeconds: [720],
    reverifySeconds: 30,
    seed: 1,
    ...changes,
  };
}

test("a claim that standby can serve is a warm hit; its replacement is a start", () => {
  const report = replayDay(dayOf([15, 15, 25, 25, 25, 25]), reactivePolicy(1));
  expect(report).toMatchObject({ steps: 6, claims: 1, warm_hits: 1, host_starts: 1, shortage_host_minutes: 0 });
  expect(report.idle_host_minutes).toBeCloseTo(2 * 5 + 4 * 5 - 12);
  expect(report.ready_before_needed).toBe(0);
});

test("a claim without standby waits for the host that was launched for it", () => {
  const report = replayDay(dayOf([15, 25, 25, 25, 25, 25]), reactivePolicy(0));
  expect(report).toMatchObject({
    claims: 1,
    warm_hits: 0,
    host_starts: 1,
    ready_before_needed: 0,
    idle_host_minutes: 0,
  });
  expect(report.wait_ms).toEqual({ p50: 720_000, p99: 720_000, max: 720_000 });
  expect(report.shortage_host_minutes).toBeCloseTo(12);
  expect(report.lead_seconds_median).toBe(720);
});

test("a claim still waiting at the end of the day is a miss that waited until then", () => {
  const report = replayDay(dayOf([15, 15, 25]), reactivePolicy(0));
  expect(report).toMatchObject({ claims: 1, warm_hits: 0 });
  expect(report.wait_ms.max).toBe(300_000);
});

test("a claim withdrawn because demand fell stays a miss", () => {
  const shortHold = { ...policy, scaleInHoldSeconds: 1 };
  const report = replayDay(dayOf([15, 25, 15, 15, 15, 15], { policy: shortHold }), reactivePolicy(0));
  expect(report).toMatchObject({ claims: 1, warm_hits: 0 });
  expect(report.wait_ms.max).toBe(600_000);
});

test("warm-up is played but not counted", () => {
  const rise = Array.from({ length: 20 }, (_, step) => (step < 15 ? 15 : 45));
  expect(replayDay(dayOf([45, 45, 45], { history: rise }), reactivePolicy(0))).toMatchObject({
    claims: 0,
    host_starts: 0,
  });
});

test("a start that was ready before its claim counts for readiness", () => {
  const report = replayDay(dayOf([15, 25, 25, 25, 25, 35, 35, 35, 35]), reactivePolicy(1));
  expect(report).toMatchObject({ claims: 2, warm_hits: 2, host_starts: 2, ready_before_needed: 0.5 });
});

test("a demoted host is verified again and serves the next claim without a start", () => {
  const steps = [25, 25, 15, 15, 15, 15, 25, 25];
  const report = replayDay(dayOf(steps, { history: Array.from({ length: 20 }, () => 25) }), reactivePolicy(1));
  expect(report).toMatchObject({ claims: 1, warm_hits: 1 });
  expect(report.host_starts).toBe(1);
});

test("a static pool of enough hosts never starts one", () => {
  const report = replayDay(dayOf([15, 45, 45, 15, 15, 45]), staticPolicy(5));
  expect(report).toMatchObject({ claims: 6, warm_hits: 6, host_starts: 0, ready_before_needed: null });
});

test("policies see demand only as it comes", () => {
  const seen: (number | null)[] = [];
  const spy: ReplayPolicy = {
    name: "spy",
    start(history) {
      seen.push(...history.values);
      return {
        observe: (demand) => seen.push(demand),
        decide(input): CapacityDecision {
          expect(input.recentDemand.at(-1)).toBe(seen.at(-1));
          return { servingTarget: 2, standbyTarget: 0, explanation: "", validUntilMs: 0, basis: "static" };
        },
      };
    },
  };
  const day = dayOf([1, 2, 3]);
  replayDay(day, spy);
  expect(seen).toEqual([...day.history, 1, 2, 3]);
});

test("the best hindsight knob is the smallest that reaches the hit rate", () => {
  const day = dayOf([15, 35, 35, 35, 35, 35]);
  expect(bestHindsightKnob(reactivePolicy, 1, day)).toMatchObject({ knob: 2, reached: true });
  expect(bestHindsightKnob(reactivePolicy, 0.5, day)).toMatchObject({ knob: 1, reached: true });
  expect(bestHindsightKnob(staticPolicy, 1, day)).toMatchObject({ knob: 4, reached: true });
  const bounded = { ...day, policy: { ...policy, maxHosts: 3 } };
  expect(bestHindsightKnob(reactivePolicy, 1, bounded).knob).toBeLessThanOrEqual(3);
});

test("with a daily pattern the predictive policy is ready for the rise that the reactive one misses", () => {
  const wave = (step: number): number => (step % 96 >= 30 && step % 96 < 60 ? 95 : 15);
  const season = { seasonSteps: 96, stepSeconds: 900, warmUpSteps: 24, leadTimeSeconds: [800, 1000, 1200] };
  const history = Array.from({ length: 96 * 6 }, (_, step) => wave(step) * (1 + 0.03 * Math.sin(step * 5.1)));
  const steps = Array.from({ length: 96 }, (_, step) => wave(step));
  const day = dayOf(steps, { ...season, history, policy: { ...policy, reviewSeconds: 900, scaleInHoldSeconds: 1800 } });
  const predictive = replayDay(day, predictivePolicy());
  const without = replayDay(day, withoutForecastPolicy());
  expect(predictive.claims).toBe(8);
  expect(predictive.warm_hits).toBe(8);
  expect(without.warm_hits).toBe(0);
  expect(predictive.idle_host_minutes).toBeLessThan(bestHindsightKnob(reactivePolicy, 1, day).report.idle_host_minutes);
  expect(replayDay(day, predictivePolicy())).toEqual(predictive);
});

test("with too little history the predictive policy falls back to the template's minimum", () => {
  const report = replayDay(dayOf([15, 25, 25, 25], { policy: { ...policy, standbyMin: 1 } }), predictivePolicy());
  expect(report).toMatchObject({ claims: 1, warm_hits: 1 });
});

test("lead times have the median and 90th percentile asked for", () => {
  const leads = drawLeadTimes({ p50Seconds: 800, p90Seconds: 1200 }, 4000, createSeededRandom(2)).toSorted(
    (a, b) => a - b,
  );
  expect(leads[2000]! / 800).toBeCloseTo(1, 1);
  expect(leads[3600]! / 1200).toBeCloseTo(1, 1);
});
