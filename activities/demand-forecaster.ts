import { chooseForecaster } from "../models/choose-forecaster.ts";
import type { CannotForecast, DemandForecast, Forecaster } from "../models/forecaster.ts";
import type { DemandSeries } from "../providers/store/store.ts";

export interface DemandForecastRequest {
  fleet: string;
  series: DemandSeries;
  seasonSteps: number;
  horizonSeconds: number;
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
}

const pathCount = 200;
const horizonStepsMax = 60;

/** Mulberry32: a small seeded generator, so that a forecast of the same history is the same again. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function endOf(series: DemandSeries): number {
  return series.startMs + series.values.length * series.stepMs;
}

function fit(series: DemandSeries, seasonSteps: number): Fitted | CannotForecast {
  const choice = chooseForecaster({ stepSeconds: series.stepMs / 1000, values: series.values, seasonSteps });
  if ("cannot" in choice) return choice;
  return { forecaster: choice.forecaster, seenMs: endOf(series), fittedAtMs: endOf(series), stepMs: series.stepMs };
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
    const seasonMs = seasonSteps * series.stepMs;
    if (known !== undefined && known.stepMs === series.stepMs && endOf(series) - known.fittedAtMs < seasonMs) {
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
      const horizonSteps = Math.ceil((request.horizonSeconds * 1000) / request.series.stepMs);
      return fitted.forecaster.forecast({
        horizonSteps: Math.min(horizonStepsMax, Math.max(1, horizonSteps)),
        quantiles: request.quantiles,
        pathCount,
        random: seededRandom(Math.floor(fitted.seenMs / request.series.stepMs)),
      });
    },
  };
}
