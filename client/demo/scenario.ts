import { readFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { hostsNeeded } from "../../domain/capacity/serving-target.ts";
import type { CapacityPolicy } from "../../domain/capacity/capacity-decision.ts";
import { ForewarmError } from "../../domain/errors.ts";
import { countDays, cutDay, drawDays, readTrace, resampleTrace, scaleTrace } from "../../simulation/trace.ts";
import { createSeededRandom } from "../../domain/seeded-random.ts";
import { packageFolder } from "../package-files.ts";

export interface ScenarioRequest {
  /** Path of a trace, or the name of one in examples/traces. */
  trace: string;
  /** Day of the trace; null draws one of its second half by the seed. */
  day: number | null;
  seed: number;
}

/** One real day of a real trace, scaled to this machine. */
export interface Scenario {
  trace: string;
  day: number;
  seed: number;
  /** Trace seconds of one control step. */
  stepSeconds: number;
  seasonSteps: number;
  /** Requests per second before the day, oldest first. */
  history: number[];
  steps: number[];
  startMs: number;
  /** Steps before the day that are sent as load but not counted. */
  leadInSteps: number;
  /** The policy in trace time, for the comparators. */
  policy: CapacityPolicy;
}

export const defaultTrace = "nyc_taxi_30min.csv";
export const defaultDay = 163;

const stepSeconds = 300;
const daySeconds = 86_400;
const historyDays = 14;
const leadInSteps = 12;
const peakRequestsPerSecond = 240;
const peakQuantile = 0.995;
/** Least demand as a share of the peak; flatter traces are stretched down to it. */
const troughShareMax = 0.2;

/** Policy of the demo in trace time: what one example host carries, a 30 min scale-in hold, a decision each step. */
const policy: CapacityPolicy = {
  perHost: 26,
  targetUtilization: 0.75,
  serviceLevel: 0.99,
  minServing: 2,
  maxHosts: 30,
  standbyMin: 0,
  standbyMax: 15,
  scaleInHoldSeconds: 1800,
  reviewSeconds: stepSeconds,
};

function tracePath(trace: string): string {
  return trace.includes("/") ? resolve(trace) : join(packageFolder(), "examples", "traces", trace);
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new ForewarmError("USAGE", `cannot read the trace ${path}`, {
      cause: error,
      cure: "Give a path, or a name in examples/traces.",
    });
  }
}

/** Gaps carry the sample before them, as load must be some number. */
function filled(values: readonly (number | null)[]): number[] {
  let last = values.find((value) => value !== null) ?? 0;
  return values.map((value) => (last = value ?? last));
}

/** Share of the peak that the quiet hours of the first half have. */
function troughShare(values: readonly (number | null)[]): number {
  const known = values.slice(0, Math.ceil(values.length / 2)).filter((value) => value !== null);
  const sorted = known.sort((left, right) => left - right);
  const low = sorted[Math.round(0.01 * (sorted.length - 1))] ?? 0;
  const high = sorted[Math.round(peakQuantile * (sorted.length - 1))] ?? 1;
  return low / high;
}

/** Reads, scales and cuts the day asked for. Throws USAGE for a trace or day that does not exist. */
export function loadScenario(request: ScenarioRequest): Scenario {
  const path = tracePath(request.trace);
  const raw = resampleTrace(readTrace(readText(path)), stepSeconds);
  const isFlat = troughShare(raw.values) > troughShareMax;
  const scaled = scaleTrace(raw, {
    peak: peakRequestsPerSecond,
    trough: isFlat ? peakRequestsPerSecond * troughShareMax : null,
  });
  const day = request.day ?? drawDays(scaled, 1, createSeededRandom(request.seed))[0] ?? countDays(scaled) - 1;
  const cut = cutDay(scaled, day);
  const stepsPerDay = daySeconds / stepSeconds;
  return {
    trace: basename(path),
    day,
    seed: request.seed,
    stepSeconds,
    seasonSteps: stepsPerDay,
    history: filled(cut.history).slice(-historyDays * stepsPerDay),
    steps: filled(cut.steps),
    startMs: cut.startMs,
    leadInSteps,
    policy,
  };
}

/** Hosts the scenario needs when its load begins. */
export function hostsAtStart({ history, leadInSteps: lead, policy: rules }: Scenario): number {
  return hostsNeeded(history.at(-lead) ?? 0, rules);
}
