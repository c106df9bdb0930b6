import { createSeasonalForecaster, type StoredForecaster } from "./seasonal-forecaster.ts";

/** The same slot one season ago; errors learned from how far that was off before. Needs one season. */
export function createSeasonalNaive(): StoredForecaster {
  return createSeasonalForecaster({ name: "seasonal-naive", baseSeasons: 1, inputs: "recent", seasonsMin: 1 });
}
