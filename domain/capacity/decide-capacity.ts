import type { CapacityDecision, CapacityInput, CapacityPolicy } from "./capacity-decision.ts";
import { launchesFor, upperQuantile } from "./order-statistics.ts";
import { hostsNeeded, servingTarget } from "./serving-target.ts";

/** Lead time assumed until one was measured: the boot of a small cloud machine with its bootstrap. */
export const defaultLeadTimeSeconds = 180;
/**
 * Windows that may run short for each claim that may miss: a decision is reviewed several times within one lead time,
 * so most windows that look short are mended before a claim meets them. Tuned on the first halves of the example traces.
 */
const shortWindowsPerMiss = 2.5;
/** Standby stays while its use within a lead time and the scale-in hold is at least this likely; keeping is cheaper than a start. */
const keepLikelihood = 0.02;
/** A host that was started and never used stays this many lead times: starting it again costs more than keeping it. */
const unusedHoldLeadTimes = 36;
/** A decision that nobody renewed for this many reviews is not acted on. */
const validReviews = 2;

/**
 * Sizes serving hosts from measured demand and standby from the forecast: a quantile set by the service level, over sample
 * paths and lead times, of the most hosts needed before a launch made at the next review could be ready
 * (order-up-to level with random lead time). Pure; falls back from forecast to learned buffer to `standbyMin`.
 */
export function decideCapacity(input: CapacityInput): CapacityDecision {
  const serving = servingTarget({ ...input, servingHosts: input.pool.serving });
  const standby = decideStandby(input, serving);
  return {
    servingTarget: serving,
    standbyTarget: standby.hosts,
    explanation: `standby ${standby.hosts}: ${standby.why}`,
    validUntilMs: input.nowMs + validReviews * input.policy.reviewSeconds * 1000,
    basis: standby.basis,
  };
}

/** How many steps of forecast a decision looks at. */
export function horizonStepsFor(input: Pick<CapacityInput, "leadTimeSeconds" | "policy" | "stepSeconds">): number {
  const lead = Math.max(...leadTimesOf(input)) + input.policy.reviewSeconds;
  return Math.max(1, Math.ceil((lead + input.policy.scaleInHoldSeconds) / input.stepSeconds));
}

interface StandbyChoice {
  hosts: number;
  why: string;
  basis: CapacityDecision["basis"];
}

function decideStandby(input: CapacityInput, serving: number): StandbyChoice {
  const { policy, fallbackBufferHosts } = input;
  const newest = input.recentDemand.at(-1) ?? null;
  if (newest === null) return heldStandby(input, serving);
  if (input.forecastPaths !== null && input.forecastPaths.length > 0) return forecastStandby(input, serving);
  if (fallbackBufferHosts !== null) {
    const hosts = boundStandby(fallbackBufferHosts, serving, policy);
    return {
      hosts,
      why: `no forecast; history rose by up to ${fallbackBufferHosts} hosts within a lead time`,
      basis: "buffer",
    };
  }
  const hosts = boundStandby(policy.standbyMin, serving, policy);
  return { hosts, why: "no forecast and no history; the template's minimum", basis: "static" };
}

function heldStandby({ pool, policy, recentDemand }: CapacityInput, serving: number): StandbyChoice {
  const hosts = boundStandby(pool.standby + pool.bootstrappingAgesSeconds.length, serving, policy);
  const known = recentDemand.some((demand) => demand !== null);
  const why = known ? "the newest demand sample is missing" : "no demand has been measured yet";
  return { hosts, why: `${why}; counts are held`, basis: "static" };
}

function forecastStandby(input: CapacityInput, serving: number): StandbyChoice {
  const peaks = runningPeaks(input);
  const leads = leadTimesOf(input);
  const level = windowLevel(input.policy.serviceLevel);
  const steps = leads.map((lead) => stepsAtRisk(lead, input));
  const atRisk = peakQuantile(peaks, steps, level);
  const out = Math.min(atRisk - serving, input.riseLimitHosts ?? Infinity);
  const likely = peakQuantile(peaks, [horizonStepsFor(input)], 1 - keepLikelihood) - serving;
  const wanted = Math.max(out, Math.min(standbyAfter(input, serving), likely), unusedHosts(input, serving));
  const hosts = boundStandby(withMargin(wanted, input), serving, input.policy);
  const window = Math.round(upperQuantile(leads, 0.5) + input.policy.reviewSeconds);
  const reason = `q${level} of hosts needed within ${window} s is ${atRisk}, ${serving} serve`;
  return { hosts, why: wanted > out ? `${reason}; kept for use soon after` : reason, basis: "forecast" };
}

/** The quantile of a window's need that keeps the promised share of claims. */
function windowLevel(serviceLevel: number): number {
  return Number(Math.max(0.5, 1 - shortWindowsPerMiss * (1 - serviceLevel)).toFixed(4));
}

function leadTimesOf({ leadTimeSeconds }: Pick<CapacityInput, "leadTimeSeconds">): readonly number[] {
  return leadTimeSeconds.length === 0 ? [defaultLeadTimeSeconds] : leadTimeSeconds;
}

/** Standby there is once `serving` hosts serve, in flight or ready. */
function standbyAfter({ pool }: CapacityInput, serving: number): number {
  return pool.serving + pool.standby + pool.bootstrappingAgesSeconds.length - serving;
}

/** Hosts started lately that no claim has taken, less those about to be promoted. */
function unusedHosts(input: CapacityInput, serving: number): number {
  const holdSeconds = unusedHoldLeadTimes * upperQuantile(leadTimesOf(input), 0.5);
  const unused = (input.pool.unusedStandbyAgesSeconds ?? []).filter((age) => age < holdSeconds).length;
  return unused - Math.max(0, serving - input.pool.serving);
}

/** Steps whose demand only hosts decided on now can meet: the next review's launch would be ready too late. */
function stepsAtRisk(leadSeconds: number, { policy, stepSeconds }: CapacityInput): number {
  return Math.max(1, Math.ceil((leadSeconds + policy.reviewSeconds) / stepSeconds - 1e-9) - 1);
}

/** For each path the most hosts needed up to each step. */
function runningPeaks({ forecastPaths, policy }: CapacityInput): number[][] {
  return (forecastPaths ?? []).map((path) => {
    let peak = 0;
    return path.map((demand) => (peak = Math.max(peak, hostsNeeded(demand, policy))));
  });
}

/**
 * Hosts that `share` of all pairs of a path and a number of steps do not exceed. Needs are small whole numbers,
 * so pairs are counted instead of sorted.
 */
function peakQuantile(peaks: readonly (readonly number[])[], steps: readonly number[], share: number): number {
  const pairs = new Map<number, number>();
  for (const step of steps) {
    for (const path of peaks) {
      const need = path[Math.min(step, path.length) - 1] ?? 0;
      pairs.set(need, (pairs.get(need) ?? 0) + 1);
    }
  }
  const wanted = share * peaks.length * steps.length - 1e-9;
  let counted = 0;
  for (const need of [...pairs.keys()].sort((left, right) => left - right)) {
    counted += pairs.get(need) ?? 0;
    if (counted >= wanted) return need;
  }
  return 0;
}

/** Adds launches for those expected to fail; hosts already verified need no margin. */
function withMargin(wanted: number, { pool, policy, launchFailureShare }: CapacityInput): number {
  const ready = Math.max(0, Math.min(wanted, pool.standby));
  return ready + launchesFor(wanted - ready, launchFailureShare, policy.serviceLevel);
}

function boundStandby(hosts: number, serving: number, policy: CapacityPolicy): number {
  const bounded = Math.min(policy.standbyMax, Math.max(policy.standbyMin, hosts));
  return Math.max(0, Math.min(bounded, policy.maxHosts - serving));
}
