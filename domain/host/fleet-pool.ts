import type { PoolForPlan } from "../capacity/plan-pool.ts";
import type { FleetState, HostRecord } from "./fleet-state.ts";
import { isBootstrapping } from "./fleet-state.ts";
import { claimableHosts } from "./fleet-transitions.ts";

export function isServing({ state }: HostRecord): boolean {
  return state === "promoting" || state === "serving" || state === "updating";
}

/** Out of rotation for now, and soon standby. */
function isComingBack({ state, next }: HostRecord): boolean {
  return state === "draining" && next !== "retire";
}

export function isStandby({ state }: HostRecord): boolean {
  return state === "standby" || state === "refreshing";
}

/** Hosts that demand, not a claim by name, keeps in rotation; one that is to be replaced counts no more. */
export function heldByDemand({ hosts }: Pick<FleetState, "hosts">): HostRecord[] {
  return hosts.filter((host) => host.claimId === null && isServing(host) && host.next !== "retire");
}

/** The pool that a decision is carried out on; what a person holds back is neither serving nor standby to plan with. */
export function poolForPlan(state: FleetState): PoolForPlan {
  const { hosts, template } = state;
  const claimable = claimableHosts(state).length;
  const leaving: readonly HostRecord["state"][] = ["failed", "quarantined", "retiring"];
  const isHeldBack = (host: HostRecord): boolean => host.cordoned && !isServing(host);
  const standby = hosts.filter((host) => isStandby(host) && !isHeldBack(host));
  return {
    serving: heldByDemand(state).length,
    claimable,
    otherStandby: standby.length - claimable,
    inFlight: hosts.filter((host) => isBootstrapping(host) || (isComingBack(host) && !isHeldBack(host))).length,
    leaving: hosts.filter(
      (host) => leaving.includes(host.state) || host.claimId !== null || host.next === "retire" || isHeldBack(host),
    ).length,
    maxHosts: template?.capacity.max_hosts ?? 0,
  };
}
