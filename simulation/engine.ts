import type { CapacityInput, CapacityPolicy } from "../domain/capacity/capacity-decision.ts";
import { planPool } from "../domain/capacity/plan-pool.ts";
import { hostsNeeded } from "../domain/capacity/serving-target.ts";
import {
  advanceTo,
  carryOut,
  countsOf,
  createReplayPool,
  eventsOf,
  poolForPlan,
  type ReplayPool,
} from "./replay-pool.ts";
import { hitRateOf, reportOf, type ReplayReport } from "./report.ts";
import type { ReplayPolicy, RunningPolicy } from "./policies.ts";
import { createSeededRandom } from "../domain/seeded-random.ts";

/** One day to replay. Demand is in the fleet's unit, on a grid of `stepSeconds`. */
export interface ReplayDay {
  /** Demand before the day, oldest first; its end also warms the pool up. */
  history: readonly (number | null)[];
  steps: readonly (number | null)[];
  startMs: number;
  stepSeconds: number;
  /** Length of the season in steps, usually a day's. */
  seasonSteps: number;
  /** Steps before the day that are played but not counted, so that no policy starts from an invented pool. */
  warmUpSteps: number;
  policy: CapacityPolicy;
  /** Measured times from decision to standby; launches draw from them, and policies see them. At least one. */
  leadTimeSeconds: readonly number[];
  /** Time a demoted host needs until it stands by again. */
  reverifySeconds: number;
  seed: number;
}

/** Plays the day through a policy. The same seed gives every policy the same lead times in the order of its launches. */
export function replayDay(day: ReplayDay, replayPolicy: ReplayPolicy): ReplayReport {
  const warmUp = Math.min(day.warmUpSteps, day.history.length);
  const known = day.history.slice(0, day.history.length - warmUp);
  const demand = [...day.history.slice(day.history.length - warmUp), ...day.steps];
  const running = replayPolicy.start(
    { values: known, stepSeconds: day.stepSeconds, seasonSteps: day.seasonSteps },
    () => createSeededRandom(day.seed + 1),
  );
  const draw = createSeededRandom(day.seed);
  const leadSeconds = (): number => day.leadTimeSeconds[Math.floor(draw() * day.leadTimeSeconds.length)] ?? 0;
  const recent = known.slice(-holdSteps(day));
  const stepMs = day.stepSeconds * 1000;
  const pool = createReplayPool({
    nowMs: day.startMs - warmUp * stepMs,
    countFromMs: day.startMs,
    servingHosts: hostsNeeded(demand[0] ?? 0, day.policy),
    reverifySeconds: day.reverifySeconds,
  });
  for (const sample of demand) {
    recent.push(sample);
    if (recent.length > holdSteps(day) + 1) recent.shift();
    tick({ day, pool, running, recent, leadSeconds });
    advanceTo(pool, pool.nowMs + stepMs);
  }
  return reportOf(eventsOf(pool, day.steps.length));
}

interface Tick {
  day: ReplayDay;
  pool: ReplayPool;
  running: RunningPolicy;
  recent: readonly (number | null)[];
  leadSeconds: () => number;
}

function tick({ day, pool, running, recent, leadSeconds }: Tick): void {
  running.observe(recent.at(-1) ?? null);
  const input: CapacityInput = {
    nowMs: pool.nowMs,
    stepSeconds: day.stepSeconds,
    recentDemand: recent,
    forecastPaths: null,
    leadTimeSeconds: day.leadTimeSeconds,
    pool: countsOf(pool),
    policy: day.policy,
    fallbackBufferHosts: null,
    launchFailureShare: 0,
  };
  const decision = running.decide(input);
  carryOut(pool, planPool(decision, poolForPlan(pool, day.policy.maxHosts)), leadSeconds);
}

function holdSteps({ policy, stepSeconds }: ReplayDay): number {
  return Math.ceil(policy.scaleInHoldSeconds / stepSeconds);
}

export interface HindsightKnob {
  knob: number;
  report: ReplayReport;
  /** False when no knob up to `maxHosts` reached the hit rate; then the largest is given. */
  reached: boolean;
}

/** The smallest knob of a family of policies, so the least idle one, whose hit rate on this very day reaches the target. */
export function bestHindsightKnob(
  family: (knob: number) => ReplayPolicy,
  targetHitRate: number,
  day: ReplayDay,
): HindsightKnob {
  let report = replayDay(day, family(0));
  let knob = 0;
  while (hitRateOf(report) < targetHitRate && knob < day.policy.maxHosts) {
    knob += 1;
    report = replayDay(day, family(knob));
  }
  return { knob, report, reached: hitRateOf(report) >= targetHitRate };
}
