import type { CapacityDecision } from "./capacity-decision.ts";

/** The pool a decision is carried out on; each host counts once. */
export interface PoolForPlan {
  serving: number;
  /** Standby that may be promoted now. */
  claimable: number;
  /** Standby that may not: stale, being refreshed, or delegated to the load balancer. */
  otherStandby: number;
  /** Being bootstrapped or verified again. */
  inFlight: number;
  /** Hosts that still exist but will leave: draining to retire, failed, quarantined. */
  leaving: number;
  maxHosts: number;
}

/** How many hosts to move; each count is at least 0. */
export interface PoolPlan {
  promote: number;
  launch: number;
  demote: number;
  retire: number;
  /** Serving hosts that are missing and cannot be promoted now: each is a claim that waits. */
  shortfall: number;
}

/**
 * Steps from the pool to the decision. Launches count what is in flight; demoted hosts are next standby, so they
 * lower launches. Only claimable standby above its target is retired: what is in flight or about to be demoted does not
 * push out a ready host before it is ready itself.
 */
export function planPool(
  decision: Pick<CapacityDecision, "servingTarget" | "standbyTarget">,
  pool: PoolForPlan,
): PoolPlan {
  const missing = Math.max(0, decision.servingTarget - pool.serving);
  const promote = Math.min(missing, pool.claimable);
  const demote = Math.max(0, pool.serving - decision.servingTarget);
  const present = pool.serving + pool.claimable + pool.otherStandby + pool.inFlight;
  const wanted = Math.min(pool.maxHosts, decision.servingTarget + decision.standbyTarget);
  const room = Math.max(0, pool.maxHosts - present - pool.leaving);
  const standby = wanted - decision.servingTarget;
  return {
    promote,
    launch: Math.min(room, Math.max(0, wanted - present)),
    demote,
    retire: Math.min(pool.claimable - promote, Math.max(0, pool.claimable + pool.otherStandby - promote - standby)),
    shortfall: missing - promote,
  };
}
