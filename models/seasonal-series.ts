import type { DemandHistory } from "./forecaster.ts";

/**
 * Demand as log-deviations from a seasonal base. Logs keep forecasts non-negative and make the size of an error
 * follow the level of demand, so that noise of the peak is not carried into the night.
 */
export interface SeasonalSeries {
  stepSeconds: number;
  seasonSteps: number;
  /** Demand in its own unit; null marks a gap. */
  values: (number | null)[];
  /** Added before the logarithm, so that zero demand has one: 5 % of the mean. */
  offset: number;
  /** Seasons whose median is the base; 1 is the plain seasonal naive. */
  baseSeasons: number;
  logs: number[];
  bases: number[];
  /** log minus base; NaN where either is missing. */
  deviations: number[];
  /** Running sums over `deviations`, so that a mean over any span costs two look-ups. */
  sums: number[];
  counts: number[];
}

/** Builds the series; the base of a step looks only at steps before it. */
export function createSeasonalSeries(history: DemandHistory, baseSeasons: number): SeasonalSeries {
  const present = history.values.filter((value) => value !== null);
  const mean = present.reduce((sum, value) => sum + value, 0) / Math.max(1, present.length);
  const series: SeasonalSeries = {
    stepSeconds: history.stepSeconds,
    seasonSteps: history.seasonSteps,
    values: [],
    offset: Math.max(mean * 0.05, 1e-6),
    baseSeasons,
    logs: [],
    bases: [],
    deviations: [],
    sums: [0],
    counts: [0],
  };
  for (const value of history.values) appendValue(series, value);
  return series;
}

export function appendValue(series: SeasonalSeries, value: number | null): void {
  const step = series.values.length;
  const base = baseAt(series, step);
  const log = value === null ? Number.NaN : Math.log(Math.max(0, value) + series.offset);
  const deviation = log - base;
  const known = Number.isFinite(deviation);
  series.values.push(value);
  series.logs.push(log);
  series.bases.push(base);
  series.deviations.push(deviation);
  series.sums.push((series.sums[step] ?? 0) + (known ? deviation : 0));
  series.counts.push((series.counts[step] ?? 0) + (known ? 1 : 0));
}

/** Seasonal base of a past or coming step: the median log of the same slot in the latest known seasons; NaN if none. */
export function baseAt(series: SeasonalSeries, step: number): number {
  const slots: number[] = [];
  for (let lag = firstKnownLag(series, step); step - lag >= 0; lag += series.seasonSteps) {
    const log = series.logs[step - lag] ?? Number.NaN;
    if (Number.isFinite(log)) slots.push(log);
    if (slots.length === series.baseSeasons) break;
  }
  return medianOf(slots);
}

/** Log of demand `seasons` seasons before `step`; NaN where it is unknown. */
export function logSeasonsBefore(series: SeasonalSeries, step: number, seasons: number): number {
  return series.logs[step - seasons * series.seasonSteps] ?? Number.NaN;
}

/** Mean deviation over [from, to); 0 when all of it is missing. */
export function meanDeviation(series: SeasonalSeries, from: number, to: number): number {
  const start = Math.max(0, from);
  const count = (series.counts[to] ?? 0) - (series.counts[start] ?? 0);
  return count === 0 ? 0 : ((series.sums[to] ?? 0) - (series.sums[start] ?? 0)) / count;
}

/** Whether every deviation of [from, to) is known. */
export function isComplete(series: SeasonalSeries, from: number, to: number): boolean {
  return from >= 0 && (series.counts[to] ?? 0) - (series.counts[from] ?? 0) === to - from;
}

/** Turns a log back into demand. */
export function demandOf(series: SeasonalSeries, log: number): number {
  return Math.max(0, Math.exp(log) - series.offset);
}

function firstKnownLag(series: SeasonalSeries, step: number): number {
  const ahead = step - series.values.length + 1;
  return series.seasonSteps * Math.max(1, Math.ceil(ahead / series.seasonSteps));
}

function medianOf(values: number[]): number {
  if (values.length === 0) return Number.NaN;
  values.sort((left, right) => left - right);
  const middle = values.length >> 1;
  const upper = values[middle] ?? Number.NaN;
  return values.length % 2 === 1 ? upper : ((values[middle - 1] ?? Number.NaN) + upper) / 2;
}
