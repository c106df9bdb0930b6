/** Loss of forecasting `forecast` as the `probability` quantile when `actual` came (pinball loss, same unit as demand). */
export function pinballLoss(probability: number, actual: number, forecast: number): number {
  const error = actual - forecast;
  return Math.max(probability * error, (probability - 1) * error);
}

export interface ScoredForecast {
  /** What came; a gap is left out of every score. */
  actual: readonly (number | null)[];
  /** `quantiles[h][q]`. */
  quantiles: readonly (readonly number[])[];
}

/** Mean over probabilities of 2 × Σ pinball ÷ Σ |actual|; NaN without any demand (weighted quantile loss). */
export function weightedQuantileLoss(forecasts: readonly ScoredForecast[], probabilities: readonly number[]): number {
  let loss = 0;
  let demand = 0;
  for (const { actual, forecast } of pairs(forecasts)) {
    demand += Math.abs(actual);
    probabilities.forEach((probability, index) => {
      loss += 2 * pinballLoss(probability, actual, forecast[index] ?? Number.NaN);
    });
  }
  return demand === 0 ? Number.NaN : loss / probabilities.length / demand;
}

/** Share of actual values at or below the quantile at `index`; should equal its probability. NaN without values. */
export function coverageOf(forecasts: readonly ScoredForecast[], index: number): number {
  let below = 0;
  let total = 0;
  for (const { actual, forecast } of pairs(forecasts)) {
    total += 1;
    if (actual <= (forecast[index] ?? Number.NaN)) below += 1;
  }
  return total === 0 ? Number.NaN : below / total;
}

/** Quantile of rising numbers, linear between neighbours; NaN when there are none. */
export function quantileOfSorted(sorted: ArrayLike<number>, probability: number): number {
  const position = probability * (sorted.length - 1);
  const below = Math.floor(position);
  const lower = sorted[below] ?? Number.NaN;
  const upper = sorted[Math.min(below + 1, sorted.length - 1)] ?? Number.NaN;
  return lower + (upper - lower) * (position - below);
}

function* pairs(forecasts: readonly ScoredForecast[]): Generator<{ actual: number; forecast: readonly number[] }> {
  for (const { actual, quantiles } of forecasts) {
    for (const [ahead, forecast] of quantiles.entries()) {
      const value = actual[ahead] ?? null;
      if (value !== null) yield { actual: value, forecast };
    }
  }
}
