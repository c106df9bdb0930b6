import { createSeasonalForecaster, type StoredForecaster } from "./seasonal-forecaster.ts";

/**
 * The seasonal median corrected by a ridge regression on the latest deviations, their slope, the same slot yesterday
 * and a week ago, so that weekly patterns are learned where the history has them. Needs three seasons.
 */
export function createSeasonalRegression(): StoredForecaster {
  return createSeasonalForecaster({
    name: "seasonal-regression",
    baseSeasons: 4,
    inputs: "recent-and-seasons",
    seasonsMin: 3,
  });
}
