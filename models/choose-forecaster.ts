import type { CannotForecast, DemandHistory } from "./forecaster.ts";
import { weightedQuantileLoss, type ScoredForecast } from "./scoring.ts";
import type { StoredForecaster } from "./seasonal-forecaster.ts";
import { createSeasonalMedian } from "./seasonal-median.ts";
import { createSeasonalNaive } from "./seasonal-naive.ts";
import { createSeasonalRegression } from "./seasonal-regression.ts";

export interface ForecasterChoice {
  /** Fitted on the whole history. */
  forecaster: StoredForecaster;
  /** Weighted quantile loss of each candidate on the last part of the history, best first; empty with one candidate. */
  scores: { model: string; loss: number }[];
}

const factories = {
  "seasonal-naive": createSeasonalNaive,
  "seasonal-median": createSeasonalMedian,
  "seasonal-regression": createSeasonalRegression,
} as const;

const scoredProbabilities = [0.5, 0.9, 0.99];
const originsPerSeason = 16;

/**
 * The forecaster the history supports: none below one season, the seasonal naive up to two, above that the one with
 * the least quantile loss at rolling origins over the last seasons.
 */
export function chooseForecaster(history: DemandHistory): ForecasterChoice | CannotForecast {
  const candidates = Object.values(factories).map((create) => create());
  const refusals = candidates.map((candidate) => candidate.fit(history));
  const able = candidates.filter((_, index) => refusals[index] === null);
  const [first] = able;
  if (first === undefined) return refusals[0] ?? { cannot: "no forecasting method takes this history" };
  if (able.length === 1) return { forecaster: first, scores: [] };
  const scores = able
    .map((candidate) => ({ model: candidate.name, loss: rollingLoss(candidate.name, history) }))
    .sort((left, right) => left.loss - right.loss);
  const best = able.find((candidate) => candidate.name === scores[0]?.model) ?? first;
  return { forecaster: best, scores };
}

/** The forecaster of that name, fitted on stored state; says why not when the name is unknown or the state too short. */
export function restoreForecaster(name: string, state: DemandHistory): StoredForecaster | CannotForecast {
  const create = Object.entries(factories).find(([known]) => known === name)?.[1];
  if (create === undefined) return { cannot: `no forecasting method is called ${name}` };
  const forecaster = create();
  return forecaster.fit(state) ?? forecaster;
}

/** Infinity where the method cannot forecast the last part from what came before it. */
function rollingLoss(name: string, history: DemandHistory): number {
  const heldOut = heldOutSteps(history);
  const start = history.values.length - heldOut;
  const forecaster = restoreForecaster(name, { ...history, values: history.values.slice(0, start) });
  if ("cannot" in forecaster) return Infinity;
  const loss = weightedQuantileLoss(rollingForecasts(forecaster, history, start), scoredProbabilities);
  return Number.isNaN(loss) ? Infinity : loss;
}

/** The last two seasons, or half a season while the history is short. */
function heldOutSteps({ values, seasonSteps }: DemandHistory): number {
  const seasons = values.length / seasonSteps;
  if (seasons >= 5) return 2 * seasonSteps;
  return Math.floor(seasons >= 3 ? seasonSteps : seasonSteps / 2);
}

function rollingForecasts(forecaster: StoredForecaster, history: DemandHistory, start: number): ScoredForecast[] {
  const { values, seasonSteps } = history;
  const stride = Math.max(1, Math.floor(seasonSteps / originsPerSeason));
  const horizonSteps = Math.max(1, Math.min(12, Math.floor(seasonSteps / 4)));
  const scored: ScoredForecast[] = [];
  for (let step = start; step < values.length; step += 1) {
    if ((step - start) % stride === 0) {
      const request = { horizonSteps, quantiles: scoredProbabilities, pathCount: 0, random: () => 0 };
      const forecast = forecaster.forecast(request);
      if ("cannot" in forecast) return [];
      scored.push({ actual: values.slice(step, step + horizonSteps), quantiles: forecast.quantiles });
    }
    forecaster.update(values[step] ?? null);
  }
  return scored;
}
