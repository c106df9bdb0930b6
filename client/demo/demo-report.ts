import type { LoadSummary } from "../../embedded/demo/load-plan.ts";
import type { TraceTime } from "../../embedded/demo/trace-time.ts";
import { bestHindsightKnob } from "../../simulation/engine.ts";
import { reactivePolicy, staticPolicy } from "../../simulation/policies.ts";
import type { ReplayReport } from "../../simulation/report.ts";
import { hitRateOf, reportOf } from "../../simulation/report.ts";
import type { ReplayRecords } from "./day-events.ts";
import { dayEventsOf, leadTimeTraceSeconds } from "./day-events.ts";
import type { Scenario } from "./scenario.ts";

export interface Comparator extends ReplayReport {
  /** Hosts of the buffer or of the whole pool, the smallest that reached the demo's own hit rate on this very day. */
  knob: number;
  reached_hit_rate: boolean;
}

export interface DemoReport extends ReplayReport {
  trace: string;
  day: number;
  seed: number;
  speed: number;
  wall_seconds: number;
  web_ui: string | null;
  comparators: { static: Comparator; reactive: Comparator };
}

export interface DemoOutcome {
  scenario: Scenario;
  time: TraceTime;
  endWallMs: number;
  load: LoadSummary;
  records: ReplayRecords;
  wallSeconds: number;
  webUi: string | null;
}

/** Time a demoted host needs to be verified again, in trace seconds: one second of the clock. */
const reverifyWallSeconds = 1;

function compare(outcome: DemoOutcome, hitRate: number): DemoReport["comparators"] {
  const { scenario, time, records } = outcome;
  const day = {
    history: scenario.history,
    steps: scenario.steps,
    startMs: scenario.startMs,
    stepSeconds: scenario.stepSeconds,
    seasonSteps: scenario.seasonSteps,
    warmUpSteps: scenario.leadInSteps,
    policy: scenario.policy,
    leadTimeSeconds: leadTimeTraceSeconds(records, time),
    reverifySeconds: reverifyWallSeconds * time.speed,
    seed: scenario.seed,
  };
  const best = (family: typeof reactivePolicy): Comparator => {
    const { knob, report, reached } = bestHindsightKnob(family, hitRate, day);
    return { ...report, knob, reached_hit_rate: reached };
  };
  return { static: best(staticPolicy), reactive: best(reactivePolicy) };
}

/** The report of a demo: measured on the running system, compared with replays of the same day. */
export function demoReport(outcome: DemoOutcome): DemoReport {
  const { scenario, time, load, records, endWallMs } = outcome;
  const measured = reportOf(dayEventsOf(records, { time, endWallMs, steps: scenario.steps.length }));
  return {
    trace: scenario.trace,
    day: scenario.day,
    seed: scenario.seed,
    speed: time.speed,
    ...measured,
    requests: load.requests,
    failed_requests: load.failed,
    latency_ms: { p50: load.latencyMs.p50, p99: load.latencyMs.p99 },
    wall_seconds: outcome.wallSeconds,
    web_ui: outcome.webUi,
    comparators: compare(outcome, hitRateOf(measured)),
  };
}
