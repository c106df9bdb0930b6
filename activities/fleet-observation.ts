import type { CapacityPolicy } from "../domain/capacity/capacity-decision.ts";
import { findDeadHosts } from "../domain/host/dead-hosts.ts";
import type { FleetState } from "../domain/host/fleet-state.ts";
import type { ComputeProvider } from "../providers/compute/compute-provider.ts";
import type { LoadBalancer, LoadBalancerStats } from "../providers/load-balancer/load-balancer.ts";
import type { DemandSeries, Store } from "../providers/store/store.ts";
import type { FleetTemplate } from "../schema/fleet-template.ts";

export interface DecideRequest {
  template: FleetTemplate;
  tick: number;
  counters: FleetState["counters"];
  pool: {
    serving: number;
    /** Standby, claimable or being refreshed. */
    standby: number;
    /** On their way back to standby. */
    settling: number;
    bootstrappingSinceMs: number[];
    /** When each standby host that no claim has taken yet was verified. */
    unusedSinceMs: number[];
  };
}

/** A host that is gone or answers nothing, for its fleet to give up. */
export interface LostHost {
  hostId: string;
  reason: string;
  /** Who misses it: health checks also fail while a host restarts its application for an update. */
  by: "balancer" | "provider";
}

export interface CapacityDependencies {
  provider: ComputeProvider;
  loadBalancer: LoadBalancer;
  store: Store;
}

/** What one tick knows before it decides. */
export interface Observation {
  request: DecideRequest;
  nowMs: number;
  lost: LostHost[];
  stats: LoadBalancerStats;
  demand: number | null;
  past: DemandSeries;
  leads: number[];
  policy: CapacityPolicy;
}

const leadTimesRemembered = 50;
const machinesEverySeconds = 5;

export function policyOf(template: FleetTemplate): CapacityPolicy {
  const { demand, capacity, standby } = template;
  return {
    perHost: demand.per_host,
    targetUtilization: demand.target_utilization,
    serviceLevel: capacity.service_level,
    minServing: capacity.min_serving,
    maxHosts: capacity.max_hosts,
    standbyMin: standby.min,
    standbyMax: standby.max,
    scaleInHoldSeconds: capacity.scale_in_hold_seconds,
    reviewSeconds: demand.step_seconds,
  };
}

/**
 * Requests per second since the last tick; null when the balancer began to count anew, for then it is not known, and
 * for less than half a step, for a moment's demand says nothing.
 */
export function demandSince(
  before: FleetState["counters"],
  stats: Pick<LoadBalancerStats, "startedAtMs" | "atMs" | "offeredRequests">,
  stepMs: number,
): number | null {
  if (before === null || before.startedAtMs !== stats.startedAtMs) return null;
  const windowMs = stats.atMs - before.atMs;
  if (windowMs < stepMs / 2) return null;
  return ((stats.offeredRequests - before.offered) * 1000) / windowMs;
}

function unhealthy(stats: LoadBalancerStats): LostHost[] {
  const reason = "it fails the load balancer's health checks";
  return findDeadHosts(stats.backends, stats.atMs).map((hostId) => ({ hostId, reason, by: "balancer" }));
}

/** Machines the provider no longer runs; looked up every few seconds, not every tick, as clouds meter such calls. */
async function lostMachines(
  { provider, store }: Pick<CapacityDependencies, "provider" | "store">,
  { template, tick }: DecideRequest,
): Promise<LostHost[]> {
  const everyTicks = Math.max(1, Math.round(machinesEverySeconds / template.demand.step_seconds));
  if (tick % everyTicks !== 0) return [];
  const machines = await provider.describe({ fleet: template.fleet });
  const gone = machines.filter((machine) => machine.state === "terminated" || machine.state === "stopped");
  if (gone.length === 0) return [];
  // A provider remembers machines for long after their hosts were retired.
  const known = new Set((await store.hosts(template.fleet)).map(({ hostId }) => hostId));
  return gone.flatMap(({ hostId, state }) =>
    known.has(hostId) ? [{ hostId, reason: `the provider reports it ${state}`, by: "provider" as const }] : [],
  );
}

/** Measures demand since the last tick, records it, and reads what a decision needs. */
export async function observeFleet(
  { provider, loadBalancer, store }: CapacityDependencies,
  request: DecideRequest,
): Promise<Observation> {
  const { fleet, demand: rules, forecast } = request.template;
  const nowMs = Date.now();
  const stepMs = rules.step_seconds * 1000;
  const stats = await loadBalancer.stats(fleet);
  const demand = demandSince(request.counters, stats, stepMs);
  await store.keepDemand({ fleet, startMs: Math.floor(nowMs / stepMs) * stepMs, stepMs, values: [demand] });
  const count = Math.ceil((forecast.history_seasons * forecast.season_seconds * 1000) / stepMs);
  const [past, leads] = await Promise.all([
    store.demand({ fleet, toMs: nowMs, stepMs, count }),
    store.leadTimeSeconds({ fleet, phase: "total", limit: leadTimesRemembered }),
  ]);
  const lost = [...unhealthy(stats), ...(await lostMachines({ provider, store }, request))];
  return { lost, request, nowMs, stats, demand, past, leads, policy: policyOf(request.template) };
}
