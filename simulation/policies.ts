import type { CapacityDecision, CapacityInput } from "../domain/capacity/capacity-decision.ts";
import { decideCapacity, horizonStepsFor } from "../domain/capacity/decide-capacity.ts";
import { learnFixedBuffer, riseLimitLevel } from "../domain/capacity/fixed-buffer.ts";
import { upperQuantile } from "../domain/capacity/order-statistics.ts";
import { decideReactive, decideStatic } from "../domain/capacity/reactive-twin.ts";
import { chooseForecaster } from "../models/choose-forecaster.ts";
import type { DemandHistory, Forecaster } from "../models/forecaster.ts";

/** A policy in the course of a replay. It sees demand only as it comes. */
export interface RunningPolicy {
  /** Takes the newest sample, before `decide` of the same step. */
  observe(demand: number | null): void;
  /** `input.forecastPaths` is null; a policy that forecasts fills it in. */
  decide(input: CapacityInput): CapacityDecision;
}

export interface ReplayPolicy {
  name: string;
  /** `random` makes the same numbers anew for each forecast, so that targets do not flicker from sampling alone. */
  start(history: DemandHistory, random: () => () => number): RunningPolicy;
}

/** Joint futures drawn per decision. */
const pathCount = 200;
/** Control steps between two looks at which forecaster is best. */
const chooseEverySteps = 288;

/** Forewarm's own policy: the chosen forecaster's sample paths through `decideCapacity`. */
export function predictivePolicy(): ReplayPolicy {
  return {
    name: "predictive",
    start(history, random) {
      const predictor = createPredictor(history, random);
      let riseLimitHosts: number | null | undefined;
      return {
        observe: predictor.observe,
        decide(input) {
          riseLimitHosts ??= riseLimit(history, input);
          return decideCapacity({ ...input, riseLimitHosts, forecastPaths: predictor.paths(horizonStepsFor(input)) });
        },
      };
    },
  };
}

function riseLimit(history: DemandHistory, { leadTimeSeconds, policy }: CapacityInput): number | null {
  return learnFixedBuffer({
    values: history.values,
    stepSeconds: history.stepSeconds,
    leadTimeSeconds: upperQuantile(leadTimeSeconds, 0.9),
    policy,
    level: riseLimitLevel(policy.serviceLevel),
  });
}

/** The same decisions with the forecaster removed: `standbyMin` is all the standby there is. */
export function withoutForecastPolicy(): ReplayPolicy {
  return {
    name: "without-forecast",
    start: () => ({
      observe: () => undefined,
      decide: (input) => decideCapacity({ ...input, fallbackBufferHosts: null }),
    }),
  };
}

/** Comparator: a fixed buffer of standby over measured demand. */
export function reactivePolicy(bufferHosts: number): ReplayPolicy {
  return {
    name: "reactive",
    start: () => ({ observe: () => undefined, decide: (input) => decideReactive(input, bufferHosts) }),
  };
}

/** Comparator: the same number of hosts warm all day. */
export function staticPolicy(hosts: number): ReplayPolicy {
  return {
    name: "static",
    start: () => ({ observe: () => undefined, decide: (input) => decideStatic(input, hosts) }),
  };
}

interface Predictor {
  observe: (demand: number | null) => void;
  paths: (horizon: number) => number[][] | null;
}

function createPredictor(history: DemandHistory, random: () => () => number): Predictor {
  const values = [...history.values];
  const keptSteps = values.length;
  let forecaster: Forecaster | null = chosen(history);
  let sinceChoice = 0;
  return {
    observe(demand) {
      values.push(demand);
      forecaster?.update(demand);
      sinceChoice += 1;
      if (sinceChoice < chooseEverySteps) return;
      forecaster = chosen({ ...history, values: values.slice(-keptSteps) });
      sinceChoice = 0;
    },
    paths(horizon) {
      const forecast = forecaster?.forecast({ horizonSteps: horizon, quantiles: [], pathCount, random: random() });
      return forecast === undefined || "cannot" in forecast ? null : forecast.paths;
    },
  };
}

function chosen(history: DemandHistory): Forecaster | null {
  const choice = chooseForecaster(history);
  return "cannot" in choice ? null : choice.forecaster;
}
