import { createSeasonalForecaster, type StoredForecaster } from "./seasonal-forecaster.ts";

/** Median of the same slot in the last four seasons plus the damped latest deviation. Needs two seasons. */
export function createSeasonalMedian(): StoredForecaster {
  return createSeasonalForecaster({ name: "seasonal-median", baseSeasons: 4, inputs: "recent", seasonsMin: 2 });
}
