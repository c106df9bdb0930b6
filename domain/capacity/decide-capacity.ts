import type { CapacityDecision, CapacityInput, CapacityPolicy, PoolCounts } from "./capacity-decision.ts";
import { launchesFor, upperQuantile } from "./order-statistics.ts";
import { hostsNeeded, servingTarget } from "./serving-target.ts";

/** Lead time assumed until one was measured: the boot of a small cloud machine with its bootstrap. */
export const defaultLeadTimeSeconds = 180;
/** A standby host stays when its use before a new one could be ready is at least this likely. */
const keepLikelihood = 0.1;
/** A decision that nobody renewed for this many reviews is not acted on. */
const validReviews = 2;

/**
 * Sizes serving hosts from measured demand and standby from the forecast: the service-level quantile, over sample
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

interface StandbyChoice {
  hosts: number;
  why: string;
  basis: CapacityDecision["basis"];
}

function decideStandby(input: CapacityInput, serving: number): StandbyChoice {
  const { policy, fallbackBufferHosts } = input;
  const newest = input.recentDemand.at(-1) ?? null;
  if (newest === null) return heldStandby(input);
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

function heldStandby({ pool, policy }: CapacityInput): StandbyChoice {
  const hosts = boundStandby(pool.standby + pool.bootstrappingAgesSeconds.length, pool.serving, policy);
  return { hosts, why: "the newest demand sample is missing; counts are held", basis: "static" };
}

function forecastStandby(input: CapacityInput, serving: number): StandbyChoice {
  const { policy, pool } = input;
  const peaks = runningPeaks(input);
  const leads = input.leadTimeSeconds.length === 0 ? [defaultLeadTimeSeconds] : input.leadTimeSeconds;
  const steps = leads.map((lead) => stepsAtRisk(lead, input));
  const out = upperQuantile(peaksWithin(peaks, steps), policy.serviceLevel);
  const keepSteps = Math.max(...steps) + Math.ceil(policy.scaleInHoldSeconds / input.stepSeconds);
  const keep = upperQuantile(peaksWithin(peaks, [keepSteps]), 1 - keepLikelihood);
  const wanted = Math.max(out, Math.min(serving + standbyHosts(pool), keep)) - serving;
  const hosts = boundStandby(withMargin(wanted, input), serving, policy);
  const window = Math.round(upperQuantile(leads, 0.5) + policy.reviewSeconds);
  return { hosts, why: whyForecast({ out, wanted: wanted + serving, window, serving, policy }), basis: "forecast" };
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

function peaksWithin(peaks: readonly (readonly number[])[], steps: readonly number[]): number[] {
  return peaks.flatMap((path) => steps.map((step) => path[Math.min(step, path.length) - 1] ?? 0));
}

function standbyHosts(pool: PoolCounts): number {
  return pool.standby + pool.bootstrappingAgesSeconds.length;
}

/** Adds launches for those expected to fail; hosts already verified need no margin. */
function withMargin(wanted: number, { pool, policy, launchFailureShare }: CapacityInput): number {
  const ready = Math.min(wanted, pool.standby);
  return ready + launchesFor(wanted - ready, launchFailureShare, policy.serviceLevel);
}

function boundStandby(hosts: number, serving: number, policy: CapacityPolicy): number {
  const bounded = Math.min(policy.standbyMax, Math.max(policy.standbyMin, hosts));
  return Math.max(0, Math.min(bounded, policy.maxHosts - serving));
}

interface ForecastReason {
  out: number;
  wanted: number;
  window: number;
  serving: number;
  policy: CapacityPolicy;
}

function whyForecast({ out, wanted, window, serving, policy }: ForecastReason): string {
  const reason = `q${policy.serviceLevel} of hosts needed within ${window} s is ${out}, ${serving} serve`;
  return wanted > out ? `${reason}; kept for likely need soon after` : reason;
}
