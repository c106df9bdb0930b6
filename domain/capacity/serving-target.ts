import type { CapacityPolicy } from "./capacity-decision.ts";

/** Hosts that carry `demand` at the target utilization, within the policy's floor and ceiling. */
export function hostsNeeded(demand: number, policy: CapacityPolicy): number {
  const hosts = Math.ceil(demand / (policy.perHost * policy.targetUtilization) - 1e-9);
  return Math.min(policy.maxHosts, Math.max(policy.minServing, hosts));
}

export interface ServingInput {
  recentDemand: readonly (number | null)[];
  stepSeconds: number;
  servingHosts: number;
  policy: CapacityPolicy;
}

/**
 * Hosts to serve measured demand. Out at once, in only when the highest need of the whole hold window is lower.
 * Where the newest sample is missing nothing leaves; where all are missing the count is held.
 */
export function servingTarget({ recentDemand, stepSeconds, servingHosts, policy }: ServingInput): number {
  const holdSteps = Math.max(1, Math.ceil(policy.scaleInHoldSeconds / stepSeconds));
  const hold = recentDemand.slice(-holdSteps - 1);
  const needs = hold.filter((demand) => demand !== null).map((demand) => hostsNeeded(demand, policy));
  const unsure = hold.length <= holdSteps || (hold.at(-1) ?? null) === null;
  const floor = unsure ? Math.min(servingHosts, policy.maxHosts) : policy.minServing;
  return Math.max(floor, ...needs, policy.minServing);
}
