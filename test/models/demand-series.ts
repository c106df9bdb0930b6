import type { DemandHistory } from "../../models/forecaster.ts";
import { createSeededRandom } from "../../domain/seeded-random.ts";

export interface SeriesShape {
  seasons: number;
  seasonSteps?: number;
  /** Standard deviation of the log noise. */
  noise?: number;
  seed?: number;
}

/** A daily wave between 40 and 160 with multiplicative noise. */
export function waveHistory({ seasons, seasonSteps = 96, noise = 0.05, seed = 1 }: SeriesShape): DemandHistory {
  const random = createSeededRandom(seed);
  const values = Array.from(
    { length: Math.round(seasons * seasonSteps) },
    (_, step) => waveAt(step, seasonSteps) * Math.exp(noise * normal(random)),
  );
  return { stepSeconds: 86_400 / seasonSteps, seasonSteps, values };
}

export function waveAt(step: number, seasonSteps: number): number {
  return 100 - 60 * Math.cos((2 * Math.PI * step) / seasonSteps);
}

function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
