import type { CapacityDecision, CapacityInput } from "../domain/capacity/capacity-decision.ts";
import { decideCapacity, horizonStepsFor } from "../domain/capacity/decide-capacity.ts";
import { upperQuantile } from "../domain/capacity/order-statistics.ts";
import type { CapacityTargets, FleetState } from "../domain/host/fleet-state.ts";
import type { CannotForecast, DemandForecast } from "../models/forecaster.ts";
import type { Store } from "../providers/store/store.ts";
import { createDemandForecaster } from "./demand-forecaster.ts";
import type { CapacityDependencies, DecideRequest, LostHost, Observation } from "./fleet-observation.ts";
import { observeFleet } from "./fleet-observation.ts";
import { whileHeartbeating } from "./heartbeat.ts";
import { createPastRises } from "./past-rises.ts";
import { translateErrors } from "./translate-errors.ts";

export interface DecideAnswer {
  targets: CapacityTargets;
  counters: FleetState["counters"];
  demand: number | null;
  lost: LostHost[];
  /** State version the balancer holds; an older one than the fleet's is sent again. */
  balancerVersion: number;
}

const bandSteps = 12;
const forecastQuantiles = [0.1, 0.5, 0.9, 0.99];

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

/** What was decided from an observation, for the record. */
interface Outcome {
  observation: Observation;
  targets: CapacityTargets;
  forecast: Forecast;
}

async function record(store: Store, { observation, targets, forecast }: Outcome): Promise<void> {
  const { request, nowMs, demand } = observation;
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

/** One control tick: measure demand, forecast it, decide targets, record all three. */
export function createCapacityActivities(dependencies: CapacityDependencies) {
  const { store } = dependencies;
  const forecaster = createDemandForecaster();
  const pastRises = createPastRises();

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

  async function decide(request: DecideRequest): Promise<DecideAnswer> {
    const observation = await observeFleet(dependencies, request);
    const { stats, demand } = observation;
    const input = capacityInput(observation);
    const forecast = forecastFor(observation, input);
    const targets = targetsOf(observation, decideFrom(observation, input, forecast), forecast);
    await record(store, { observation, targets, forecast });
    return {
      targets,
      demand,
      counters: { startedAtMs: stats.startedAtMs, atMs: stats.atMs, offered: stats.offeredRequests },
      lost: observation.lost,
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
