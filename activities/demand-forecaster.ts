import { chooseForecaster } from "../models/choose-forecaster.ts";
import type { CannotForecast, DemandForecast, Forecaster } from "../models/forecaster.ts";
import type { DemandSeries } from "../providers/store/store.ts";
import { createSeededRandom } from "../domain/seeded-random.ts";

export interface DemandForecastRequest {
  fleet: string;
  series: DemandSeries;
  seasonSteps: number;
  horizonSteps: number;
  quantiles: readonly number[];
}

/** Forecasts of many fleets; keeps fitted models between ticks and fits anew when a season has passed. */
export interface DemandForecaster {
  forecast: (request: DemandForecastRequest) => DemandForecast | CannotForecast;
}

interface Fitted {
  forecaster: Forecaster;
  /** End of the last sample the model has seen. */
  seenMs: number;
  fittedAtMs: number;
  stepMs: number;
  /** Samples that were known when it was fitted. */
  knownSamples: number;
}

const pathCount = 200;
const horizonStepsMax = 60;

function endOf(series: DemandSeries): number {
  return series.startMs + series.values.length * series.stepMs;
}

function fit(series: DemandSeries, seasonSteps: number): Fitted | CannotForecast {
  const choice = chooseForecaster({ stepSeconds: series.stepMs / 1000, values: series.values, seasonSteps });
  if ("cannot" in choice) return choice;
  const endMs = endOf(series);
  return { ...choice, seenMs: endMs, fittedAtMs: endMs, stepMs: series.stepMs, knownSamples: countKnown(series) };
}

function countKnown(series: DemandSeries): number {
  return series.values.reduce((count: number, value) => (value === null ? count : count + 1), 0);
}

/** Whether a model still stands on the history at hand: same grid, younger than a season, no older days loaded since. */
function isCurrent(fitted: Fitted, series: DemandSeries, seasonSteps: number): boolean {
  if (fitted.stepMs !== series.stepMs) return false;
  const steps = (endOf(series) - fitted.fittedAtMs) / series.stepMs;
  return steps < seasonSteps && countKnown(series) <= fitted.knownSamples + steps + 1;
}

/** Feeds the samples the model has not seen. */
function catchUp(fitted: Fitted, series: DemandSeries): void {
  const unseen = Math.round((endOf(series) - fitted.seenMs) / series.stepMs);
  for (const value of unseen > 0 ? series.values.slice(-unseen) : []) fitted.forecaster.update(value);
  fitted.seenMs = Math.max(fitted.seenMs, endOf(series));
}

export function createDemandForecaster(): DemandForecaster {
  const models = new Map<string, Fitted>();

  function fittedModel({ fleet, series, seasonSteps }: DemandForecastRequest): Fitted | CannotForecast {
    const known = models.get(fleet);
    if (known !== undefined && isCurrent(known, series, seasonSteps)) {
      catchUp(known, series);
      return known;
    }
    const fresh = fit(series, seasonSteps);
    if (!("cannot" in fresh)) models.set(fleet, fresh);
    return fresh;
  }

  return {
    forecast(request) {
      const fitted = fittedModel(request);
      if ("cannot" in fitted) return fitted;
      return fitted.forecaster.forecast({
        horizonSteps: Math.min(horizonStepsMax, request.horizonSteps),
        quantiles: request.quantiles,
        pathCount,
        random: createSeededRandom(Math.floor(fitted.seenMs / request.series.stepMs)),
      });
    },
  };
}
