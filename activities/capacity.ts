import type { CapacityDecision, CapacityInput, CapacityPolicy } from "../domain/capacity/capacity-decision.ts";
import { decideCapacity, horizonStepsFor } from "../domain/capacity/decide-capacity.ts";
import { upperQuantile } from "../domain/capacity/order-statistics.ts";
import type { CapacityTargets, FleetState } from "../domain/host/fleet-state.ts";
import type { CannotForecast, DemandForecast } from "../models/forecaster.ts";
import type { ComputeProvider } from "../providers/compute/compute-provider.ts";
import type { LoadBalancer, LoadBalancerStats } from "../providers/load-balancer/load-balancer.ts";
import type { DemandSeries, Store } from "../providers/store/store.ts";
import type { FleetTemplate } from "../schema/fleet-template.ts";
import { createDemandForecaster } from "./demand-forecaster.ts";
import { whileHeartbeating } from "./heartbeat.ts";
import { createPastRises } from "./past-rises.ts";
import { translateErrors } from "./translate-errors.ts";

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

/** Hosts the balancer finds dead. Were all of them, the fault would be ours or the network's: replacing the whole fleet helps nobody. */
function unhealthy(stats: LoadBalancerStats): DecideAnswer["lost"] {
  const dead = stats.backends.filter((backend) => !backend.healthy && !backend.draining);
  if (dead.length === stats.backends.length) return [];
  return dead.map((backend) => ({ hostId: backend.hostId, reason: "it fails the load balancer's health checks" }));
}

/** What one tick knows before it decides. */
interface Observation {
  request: DecideRequest;
  nowMs: number;
  stats: LoadBalancerStats;
  demand: number | null;
  past: DemandSeries;
  leads: number[];
  policy: CapacityPolicy;
}

function capacityInput({ request, nowMs, past, leads, policy }: Observation): CapacityInput {
  const { pool } = request;
  const ages = (sinceMs: number[]): number[] => sinceMs.map((since) => (nowMs - since) / 1000);
  return {
    nowMs,
    stepSeconds: policy.reviewSeconds,
    recentDemand: past.values.slice(-Math.ceil(policy.scaleInHoldSeconds / policy.reviewSeconds) - 2),
    forecastPaths: null,
    leadTimeSeconds: leads,
    pool: {
      serving: pool.serving,
      standby: pool.standby + pool.settling,
      bootstrappingAgesSeconds: ages(pool.bootstrappingSinceMs),
      unusedStandbyAgesSeconds: ages(pool.unusedSinceMs),
    },
    policy,
    fallbackBufferHosts: null,
    launchFailureShare: 0,
  };
}

type Forecast = DemandForecast | CannotForecast;

function targetsOf(observation: Observation, decision: CapacityDecision, forecast: Forecast): CapacityTargets {
  const { nowMs, leads, demand } = observation;
  const cannot = "cannot" in forecast ? forecast.cannot : null;
  return {
    serving: decision.servingTarget,
    standby: decision.standbyTarget,
    explanation: cannot === null ? decision.explanation : `${decision.explanation} (${cannot})`,
    basis: "cannot" in forecast ? decision.basis : forecast.model,
    decidedAtMs: nowMs,
    validUntilMs: decision.validUntilMs,
    leadTimeSecondsP50: leads.length === 0 ? null : upperQuantile(leads, 0.5),
    demand,
    band: "cannot" in forecast ? [] : forecast.quantiles.slice(0, bandSteps).map((step) => step.slice(0, 3)),
  };
}

/** One control tick: measure demand, forecast it, decide targets, record all three. */
export function createCapacityActivities({ provider, loadBalancer, store }: CapacityDependencies) {
  const forecaster = createDemandForecaster();
  const pastRises = createPastRises();

  async function lostMachines({ template, tick }: DecideRequest): Promise<DecideAnswer["lost"]> {
    const everyTicks = Math.max(1, Math.round(machinesEverySeconds / template.demand.step_seconds));
    if (tick % everyTicks !== 0) return [];
    const machines = await provider.describe({ fleet: template.fleet });
    const gone = machines.filter((machine) => machine.state === "terminated" || machine.state === "stopped");
    return gone.map((machine) => ({ hostId: machine.hostId, reason: `the provider reports it ${machine.state}` }));
  }

  async function observe(request: DecideRequest): Promise<Observation> {
    const { fleet, demand: rules, forecast } = request.template;
    const nowMs = Date.now();
    const stepMs = rules.step_seconds * 1000;
    const stats = await loadBalancer.stats(fleet);
    const demand = demandSince(request.counters, stats);
    await store.keepDemand({ fleet, startMs: Math.floor(nowMs / stepMs) * stepMs, stepMs, values: [demand] });
    const count = Math.ceil((forecast.history_seasons * forecast.season_seconds * 1000) / stepMs);
    const [past, leads] = await Promise.all([
      store.demand({ fleet, toMs: nowMs, stepMs, count }),
      store.leadTimeSeconds({ fleet, phase: "total", limit: leadTimesRemembered }),
    ]);
    return { request, nowMs, stats, demand, past, leads, policy: policyOf(request.template) };
  }

  function forecastFor({ request, past }: Observation, input: CapacityInput): Forecast {
    const { fleet, demand, forecast } = request.template;
    if (!forecast.enabled) return { cannot: "forecasting is turned off in the template" };
    const seasonSteps = Math.round(forecast.season_seconds / demand.step_seconds);
    return forecaster.forecast({
      fleet,
      series: past,
      seasonSteps,
      horizonSteps: horizonStepsFor(input),
      quantiles: forecastQuantiles,
    });
  }

  /** Without its forecaster a fleet is sized from the template's minimum alone; one that merely cannot forecast yet learns a buffer. */
  function decideFrom(observation: Observation, input: CapacityInput, forecast: Forecast): CapacityDecision {
    const { request, past, leads, policy } = observation;
    if (!request.template.forecast.enabled) return decideCapacity(input);
    const rises = pastRises({ fleet: request.template.fleet, series: past, leads, policy });
    return decideCapacity({ ...input, ...rises, forecastPaths: "cannot" in forecast ? null : forecast.paths });
  }

  async function record(
    { request, nowMs, demand }: Observation,
    targets: CapacityTargets,
    forecast: Forecast,
  ): Promise<void> {
    const { fleet } = request.template;
    const { serving, standby, bootstrappingSinceMs } = request.pool;
    if (!("cannot" in forecast)) {
      const { model, quantiles: values } = forecast;
      const stepMs = request.template.demand.step_seconds * 1000;
      await store.keepForecast({ fleet, madeAtMs: nowMs, stepMs, model, quantiles: forecastQuantiles, values });
    }
    await store.keepDecision({
      fleet,
      atMs: nowMs,
      demand,
      servingTarget: targets.serving,
      standbyTarget: targets.standby,
      serving,
      standby,
      bootstrapping: bootstrappingSinceMs.length,
      explanation: targets.explanation,
    });
  }

  async function decide(request: DecideRequest): Promise<DecideAnswer> {
    const observation = await observe(request);
    const { stats, demand } = observation;
    const input = capacityInput(observation);
    const forecast = forecastFor(observation, input);
    const targets = targetsOf(observation, decideFrom(observation, input, forecast), forecast);
    await record(observation, targets, forecast);
    return {
      targets,
      demand,
      counters: { startedAtMs: stats.startedAtMs, atMs: stats.atMs, offered: stats.offeredRequests },
      lost: [...unhealthy(stats), ...(await lostMachines(request))],
      balancerVersion: stats.stateVersion,
    };
  }

  return translateErrors({
    async decideCapacity(request: DecideRequest): Promise<DecideAnswer> {
      return whileHeartbeating(() => decide(request));
    },
  });
}

export type CapacityActivities = ReturnType<typeof createCapacityActivities>;
