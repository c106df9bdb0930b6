/** Demand on a regular grid, oldest first; null marks a gap. The unit is the fleet's own demand unit. */
export interface DemandHistory {
  stepSeconds: number;
  values: readonly (number | null)[];
  /** Steps in one season (usually a day); 0 when the series is not known to be seasonal. */
  seasonSteps: number;
}

export interface ForecastRequest {
  /** How many steps ahead, at least 1. */
  horizonSteps: number;
  /** Rising probabilities in (0, 1). */
  quantiles: readonly number[];
  /** How many joint sample paths to draw; their maxima over a window size the standby. */
  pathCount: number;
  /** Uniform numbers in [0, 1); the caller seeds it, so that a forecast can be made again. */
  random: () => number;
}

export interface DemandForecast {
  model: string;
  /** `quantiles[h][q]`: demand at step h + 1 ahead; shape horizonSteps × request.quantiles, rising in q. */
  quantiles: number[][];
  /** `paths[p][h]`: one joint future; shape pathCount × horizonSteps. */
  paths: number[][];
}

/** Why no forecast can be made; shown to the operator as it stands. */
export interface CannotForecast {
  cannot: string;
}

/** One forecasting method. State is plain JSON so that it can be stored. */
export interface Forecaster {
  readonly name: string;
  /** Learns from the whole history; says why not when the history does not suffice. */
  fit(history: DemandHistory): CannotForecast | null;
  /** Adds the newest sample. */
  update(value: number | null): void;
  forecast(request: ForecastRequest): DemandForecast | CannotForecast;
}
