import { decideCapacity } from "../domain/capacity/decide-capacity.ts";
import type { CapacityPolicy } from "../domain/capacity/capacity-decision.ts";
import { learnFixedBuffer } from "../domain/capacity/fixed-buffer.ts";
import { upperQuantile } from "../domain/capacity/order-statistics.ts";
import type { CapacityTargets, FleetState } from "../domain/host/fleet-state.ts";
import type { ComputeProvider } from "../providers/compute/compute-provider.ts";
import type { LoadBalancer, LoadBalancerStats } from "../providers/load-balancer/load-balancer.ts";
import type { DemandSeries, Store } from "../providers/store/store.ts";
import type { FleetTemplate } from "../schema/fleet-template.ts";
import type { DemandForecaster } from "./demand-forecaster.ts";
import { createDemandForecaster } from "./demand-forecaster.ts";
import { translateErrors } from "./translate-errors.ts";
import { whileHeartbeating } from "./heartbeat.ts";

export interface DecideRequest {
  template: FleetTemplate;
  tick: number;
  counters: FleetState["counters"];
  pool: { serving: number; standby: number; settling: number; bootstrappingSinceMs: number[] };
}

export interface DecideAnswer {
  targets: CapacityTargets;
  counters: FleetState["counters"];
  demand: number | null;
  /** Hosts that are gone or answer nothing, for the fleet to give up. */
  lost: { hostId: string; reason: string }[];
  /** State version the balancer holds; an older one than the fleet's is sent again. */
  balancerVersion: number;
}

export interface CapacityDependencies {
  provider: ComputeProvider;
  loadBalancer: LoadBalancer;
  store: Store;
}

const leadTimesRemembered = 50;
const machinesEverySeconds = 5;
const bandSteps = 12;
const forecastQuantiles = [0.1, 0.5, 0.9, 0.99];

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

/** Requests per second since the last tick; null when the balancer began to count anew, for then it is not known. */
export function demandSince(before: FleetState["counters"], stats: LoadBalancerStats): number | null {
  if (before === null || before.startedAtMs !== stats.startedAtMs || stats.atMs <= before.atMs) return null;
  return ((stats.offeredRequests - before.offered) * 1000) / (stats.atMs - before.atMs);
}

/** One control tick: measure demand, forecast it, decide targets, record all three. */
export function createCapacityActivities({ provider, loadBalancer, store }: CapacityDependencies) {
  const forecaster: DemandForecaster = createDemandForecaster();

  async function history(template: FleetTemplate, nowMs: number): Promise<DemandSeries> {
    const { step_seconds: stepSeconds } = template.demand;
    const { season_seconds: seasonSeconds, history_seasons: seasons } = template.forecast;
    const count = Math.ceil((seasons * seasonSeconds) / stepSeconds);
    return store.demand({ fleet: template.fleet, toMs: nowMs, stepMs: stepSeconds * 1000, count });
  }

  async function lostMachines(template: FleetTemplate, tick: number): Promise<DecideAnswer["lost"]> {
    const everyTicks = Math.max(1, Math.round(machinesEverySeconds / template.demand.step_seconds));
    if (tick % everyTicks !== 0) return [];
    const machines = await provider.describe({ fleet: template.fleet });
    const gone = machines.filter((machine) => machine.state === "terminated" || machine.state === "stopped");
    return gone.map((machine) => ({ hostId: machine.hostId, reason: `the provider reports it ${machine.state}` }));
  }

  function unhealthy(stats: LoadBalancerStats): DecideAnswer["lost"] {
    const dead = stats.backends.filter((backend) => !backend.healthy && !backend.draining);
    // Were all of them unhealthy, the fault would be ours or the network's; replacing the whole fleet helps nobody.
    if (dead.length === stats.backends.length) return [];
    return dead.map((backend) => ({ hostId: backend.hostId, reason: "it fails the load balancer's health checks" }));
  }

  async function decide({ template, tick, counters, pool }: DecideRequest): Promise<DecideAnswer> {
    const { fleet } = template;
    const nowMs = Date.now();
    const stepMs = template.demand.step_seconds * 1000;
    const stats = await loadBalancer.stats(fleet);
    const demand = demandSince(counters, stats);
    await store.keepDemand({ fleet, startMs: Math.floor(nowMs / stepMs) * stepMs, stepMs, values: [demand] });
    const [past, leads] = await Promise.all([
      history(template, nowMs),
      store.leadTimeSeconds({ fleet, phase: "total", limit: leadTimesRemembered }),
    ]);
    const policy = policyOf(template);
    const seasonSteps = Math.round(template.forecast.season_seconds / template.demand.step_seconds);
    const leadP50 = leads.length === 0 ? null : upperQuantile(leads, 0.5);
    const forecast = template.forecast.enabled
      ? forecaster.forecast({
          fleet,
          series: past,
          seasonSteps,
          horizonSeconds: horizonSeconds(leads, policy),
          quantiles: forecastQuantiles,
        })
      : { cannot: "forecasting is turned off in the template" };
    const decision = decideCapacity({
      nowMs,
      stepSeconds: template.demand.step_seconds,
      recentDemand: past.values.slice(-Math.ceil(policy.scaleInHoldSeconds / policy.reviewSeconds) - 2),
      forecastPaths: "cannot" in forecast ? null : forecast.paths,
      leadTimeSeconds: leads,
      pool: {
        serving: pool.serving,
        standby: pool.standby + pool.settling,
        bootstrappingAgesSeconds: pool.bootstrappingSinceMs.map((since) => (nowMs - since) / 1000),
      },
      policy,
      fallbackBufferHosts: template.forecast.enabled
        ? learnFixedBuffer({
            values: past.values,
            stepSeconds: policy.reviewSeconds,
            leadTimeSeconds: leadP50 ?? 0,
            policy,
            level: policy.serviceLevel,
          })
        : null,
      launchFailureShare: 0,
    });
    const explanation = "cannot" in forecast ? `${decision.explanation} (${forecast.cannot})` : decision.explanation;
    const targets: CapacityTargets = {
      serving: decision.servingTarget,
      standby: decision.standbyTarget,
      explanation,
      basis: "cannot" in forecast ? decision.basis : forecast.model,
      decidedAtMs: nowMs,
      validUntilMs: decision.validUntilMs,
      leadTimeSecondsP50: leadP50,
      demand,
      band: "cannot" in forecast ? [] : forecast.quantiles.slice(0, bandSteps).map((step) => step.slice(0, 3)),
    };
    if (!("cannot" in forecast)) {
      const { model, quantiles: values } = forecast;
      await store.keepForecast({ fleet, madeAtMs: nowMs, stepMs, model, quantiles: forecastQuantiles, values });
    }
    const { serving, standby, settling, bootstrappingSinceMs } = pool;
    await store.keepDecision({
      fleet,
      atMs: nowMs,
      demand,
      servingTarget: targets.serving,
      standbyTarget: targets.standby,
      serving,
      standby: standby + settling,
      bootstrapping: bootstrappingSinceMs.length,
      explanation,
    });
    return {
      targets,
      demand,
      counters: { startedAtMs: stats.startedAtMs, atMs: stats.atMs, offered: stats.offeredRequests },
      lost: [...unhealthy(stats), ...(await lostMachines(template, tick))],
      balancerVersion: stats.stateVersion,
    };
  }

  return translateErrors({
    async decideCapacity(request: DecideRequest): Promise<DecideAnswer> {
      return whileHeartbeating(() => decide(request));
    },
  });
}

/** Far enough for the slowest lead time seen, one review and the scale-in hold. */
function horizonSeconds(leads: readonly number[], policy: CapacityPolicy): number {
  const lead = leads.length === 0 ? 180 : Math.max(...leads);
  return lead + policy.reviewSeconds + policy.scaleInHoldSeconds;
}

export type CapacityActivities = ReturnType<typeof createCapacityActivities>;
