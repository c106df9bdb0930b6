import type { CapacityDecision, CapacityInput } from "./capacity-decision.ts";
import { servingTarget } from "./serving-target.ts";

/**
 * What a fleet without a forecast would do: `bufferHosts` standby on top of what measured demand needs.
 * Runs beside every live policy, so that a saving is always against a counterfactual.
 */
export function decideReactive(input: CapacityInput, bufferHosts: number): CapacityDecision {
  const serving = servingTarget({ ...input, servingHosts: input.pool.serving });
  return decisionOf(input, {
    servingTarget: serving,
    standbyTarget: Math.max(0, Math.min(bufferHosts, input.policy.maxHosts - serving)),
    explanation: `standby ${bufferHosts}: a fixed buffer over measured demand`,
    basis: "buffer",
  });
}

/** A static pool: `hosts` warm all day, of which measured demand takes what it needs. */
export function decideStatic(input: CapacityInput, hosts: number): CapacityDecision {
  const serving = Math.min(hosts, servingTarget({ ...input, servingHosts: input.pool.serving }));
  return decisionOf(input, {
    servingTarget: servingTarget({ ...input, servingHosts: input.pool.serving }),
    standbyTarget: Math.max(0, Math.min(hosts, input.policy.maxHosts) - serving),
    explanation: `standby ${hosts - serving}: ${hosts} hosts are kept all day`,
    basis: "static",
  });
}

function decisionOf(input: CapacityInput, decision: Omit<CapacityDecision, "validUntilMs">): CapacityDecision {
  return { ...decision, validUntilMs: input.nowMs + 2 * input.policy.reviewSeconds * 1000 };
}
