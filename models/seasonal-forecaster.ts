import { correctionAfter, fitCorrection, type Correction, type CorrectionInputs } from "./deviation-correction.ts";
import type { CannotForecast, DemandForecast, DemandHistory, Forecaster, ForecastRequest } from "./forecaster.ts";
import { quantileOfSorted } from "./scoring.ts";
import {
  appendValue,
  baseAt,
  createSeasonalSeries,
  demandOf,
  isComplete,
  type SeasonalSeries,
} from "./seasonal-series.ts";

export interface SeasonalForecasterOptions {
  name: string;
  /** Seasons whose median is the base. */
  baseSeasons: number;
  inputs: CorrectionInputs;
  /** Least history, in seasons. */
  seasonsMin: number;
}

/** A forecaster whose state can be stored: fitting `snapshot()` again gives the same forecasts. */
export interface StoredForecaster extends Forecaster {
  snapshot(): DemandHistory;
}

const sampledOriginsMax = 400;
const localOriginsMin = 60;
const residualBlocksMin = 24;
const correctionsPerSeason = 2;

interface State {
  series: SeasonalSeries;
  correction: Correction;
  sinceCorrection: number;
  /** Steps kept; the oldest season beyond it is dropped. */
  keptSteps: number;
  /** Errors of past forecasts by origin, as long as the correction and the horizon stay the same. */
  blocks: { horizonSteps: number; byOrigin: Map<number, Float64Array> };
}

/**
 * Seasonal base plus damped correction by the latest deviations. Quantiles and paths come from whole blocks of past
 * forecast errors at the same time of the season, so that the maximum over a window keeps its true spread.
 */
export function createSeasonalForecaster(options: SeasonalForecasterOptions): StoredForecaster {
  let state: State | null = null;
  return {
    name: options.name,
    fit(history) {
      const refusal = whyNot(history, options.seasonsMin);
      state = refusal === null ? fitState(history, options) : null;
      return refusal;
    },
    update(value) {
      if (state !== null) state = updated(state, value, options);
    },
    forecast: (request) => (state === null ? { cannot: "not fitted yet" } : forecastFrom(state, options.name, request)),
    snapshot: () => snapshotOf(state?.series),
  };
}

function whyNot(history: DemandHistory, seasonsMin: number): CannotForecast | null {
  if (history.seasonSteps < 2) return { cannot: "the season is shorter than two steps" };
  const known = history.values.filter((value) => value !== null).length;
  const needed = seasonsMin * history.seasonSteps;
  if (known >= needed) return null;
  const seasons = (known / history.seasonSteps).toFixed(2);
  return { cannot: `history covers ${seasons} seasons; at least ${seasonsMin} needed` };
}

function fitState(history: DemandHistory, options: SeasonalForecasterOptions): State {
  const series = createSeasonalSeries(history, options.baseSeasons);
  return {
    series,
    correction: fitCorrection(series, options.inputs),
    sinceCorrection: 0,
    keptSteps: history.values.length,
    blocks: noBlocks(),
  };
}

function updated(state: State, value: number | null, options: SeasonalForecasterOptions): State {
  appendValue(state.series, value);
  const since = state.sinceCorrection + 1;
  const { seasonSteps, values } = state.series;
  if (values.length >= state.keptSteps + seasonSteps) {
    const kept = { ...snapshotOf(state.series), values: values.slice(-state.keptSteps) };
    return { ...fitState(kept, options), keptSteps: state.keptSteps };
  }
  if (since < seasonSteps / correctionsPerSeason) return { ...state, sinceCorrection: since };
  return { ...state, correction: fitCorrection(state.series, options.inputs), sinceCorrection: 0, blocks: noBlocks() };
}

function noBlocks(): State["blocks"] {
  return { horizonSteps: 0, byOrigin: new Map() };
}

function snapshotOf(series: SeasonalSeries | undefined): DemandHistory {
  if (series === undefined) return { stepSeconds: 1, seasonSteps: 0, values: [] };
  return { stepSeconds: series.stepSeconds, seasonSteps: series.seasonSteps, values: [...series.values] };
}

function forecastFrom(state: State, name: string, request: ForecastRequest): DemandForecast | CannotForecast {
  const { series } = state;
  if (request.horizonSteps > series.seasonSteps) return { cannot: "the horizon is longer than one season" };
  const origins = errorOrigins(series, request.horizonSteps);
  if (origins.length < residualBlocksMin) {
    return {
      cannot: `only ${origins.length} past forecasts to learn errors from; at least ${residualBlocksMin} needed`,
    };
  }
  const expected = expectedLogs(state, request.horizonSteps);
  const errors = origins.map((origin) => errorBlock(state, origin, request.horizonSteps));
  return {
    model: name,
    quantiles: quantilesOf(series, { expected, errors, probabilities: request.quantiles }),
    paths: pathsOf(series, { expected, errors, request }),
  };
}

function expectedLogs({ series, correction }: State, horizonSteps: number): number[] {
  const origin = series.values.length;
  const bases = Array.from({ length: horizonSteps }, (_, ahead) => knownBase(series, origin + ahead));
  const deviations = correctionAfter(series, correction, { origin, horizonSteps, bases });
  return bases.map((base, ahead) => base + (deviations[ahead] ?? 0));
}

/** The base of a slot never seen is the last base that was. */
function knownBase(series: SeasonalSeries, step: number): number {
  const base = baseAt(series, step);
  return Number.isFinite(base) ? base : (series.bases.findLast((earlier) => Number.isFinite(earlier)) ?? 0);
}

/** Past origins near this time of the season; all of the history where too few of those are whole. */
function errorOrigins(series: SeasonalSeries, horizonSteps: number): number[] {
  const now = series.values.length;
  const reach = Math.max(6, Math.round(series.seasonSteps / 12));
  const all: number[] = [];
  const local: number[] = [];
  for (let origin = series.seasonSteps; origin + horizonSteps <= now; origin += 1) {
    if (!isComplete(series, origin, origin + horizonSteps)) continue;
    all.push(origin);
    const phase = (now - origin) % series.seasonSteps;
    if (Math.min(phase, series.seasonSteps - phase) <= reach) local.push(origin);
  }
  return thinned(local.length >= localOriginsMin ? local : all);
}

function thinned(origins: number[]): number[] {
  const stride = Math.max(1, Math.ceil(origins.length / sampledOriginsMax));
  return origins.filter((_, index) => (origins.length - 1 - index) % stride === 0);
}

function errorBlock(state: State, origin: number, horizonSteps: number): Float64Array {
  if (state.blocks.horizonSteps !== horizonSteps) state.blocks = { ...noBlocks(), horizonSteps };
  const known = state.blocks.byOrigin.get(origin);
  if (known !== undefined) return known;
  const block = newErrorBlock(state, origin, horizonSteps);
  state.blocks.byOrigin.set(origin, block);
  return block;
}

function newErrorBlock({ series, correction }: State, origin: number, horizonSteps: number): Float64Array {
  const block = correctionAfter(series, correction, { origin, horizonSteps });
  for (let ahead = 0; ahead < horizonSteps; ahead += 1) {
    block[ahead] = (series.deviations[origin + ahead] ?? 0) - (block[ahead] ?? 0);
  }
  return block;
}

interface Spread {
  expected: number[];
  errors: Float64Array[];
}

/** Quantiles of the errors of each horizon and its two neighbours, one bucket of horizons. */
function quantilesOf(series: SeasonalSeries, spread: Spread & { probabilities: readonly number[] }): number[][] {
  if (spread.probabilities.length === 0) return spread.expected.map(() => []);
  return spread.expected.map((log, ahead) => {
    const bucket = bucketOf(spread.errors, ahead);
    return spread.probabilities.map((probability) => demandOf(series, log + quantileOfSorted(bucket, probability)));
  });
}

function bucketOf(errors: readonly Float64Array[], ahead: number): Float64Array {
  const from = Math.max(0, ahead - 1);
  const width = Math.min(ahead + 2, errors[0]?.length ?? 0) - from;
  const bucket = new Float64Array(errors.length * width);
  errors.forEach((block, index) => bucket.set(block.subarray(from, from + width), index * width));
  return bucket.sort();
}

function pathsOf(series: SeasonalSeries, spread: Spread & { request: ForecastRequest }): number[][] {
  const { pathCount, random } = spread.request;
  return Array.from({ length: pathCount }, () => {
    const block = spread.errors[Math.floor(random() * spread.errors.length)];
    return spread.expected.map((log, ahead) => demandOf(series, log + (block?.[ahead] ?? 0)));
  });
}
