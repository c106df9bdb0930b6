import { expect, test } from "vitest";
import { chooseForecaster, restoreForecaster, type ForecasterChoice } from "../../models/choose-forecaster.ts";
import type { DemandHistory } from "../../models/forecaster.ts";
import { waveAt, waveHistory } from "./demand-series.ts";

function choiceOf(history: DemandHistory): ForecasterChoice {
  const choice = chooseForecaster(history);
  if ("cannot" in choice) throw new Error(choice.cannot);
  return choice;
}

test("below one season there is a reason instead of a forecaster", () => {
  expect(chooseForecaster(waveHistory({ seasons: 0.9 }))).toEqual({
    cannot: "history covers 0.90 seasons; at least 1 needed",
  });
});

test("between one and two seasons the naive is all there is", () => {
  const choice = choiceOf(waveHistory({ seasons: 1.8 }));
  expect(choice.forecaster.name).toBe("seasonal-naive");
  expect(choice.scores).toEqual([]);
});

test("with more seasons all candidates are scored, best first, and the best is taken", () => {
  const choice = choiceOf(waveHistory({ seasons: 6, noise: 0.2 }));
  expect(choice.scores.map(({ model }) => model).toSorted()).toEqual([
    "seasonal-median",
    "seasonal-naive",
    "seasonal-regression",
  ]);
  expect(choice.scores.map(({ loss }) => loss)).toEqual(
    choice.scores.map(({ loss }) => loss).toSorted((a, b) => a - b),
  );
  expect(choice.forecaster.name).toBe(choice.scores[0]!.model);
  expect(choice.forecaster.name).not.toBe("seasonal-naive");
});

test("a weekly pattern is won by the regression, which alone looks a week back", () => {
  const values = Array.from(
    { length: 96 * 23 },
    (_, step) => waveAt(step, 96) * (Math.floor(step / 96) % 7 < 2 ? 0.4 : 1) * (1 + 0.02 * Math.sin(step * 7.3)),
  );
  expect(choiceOf({ stepSeconds: 900, seasonSteps: 96, values }).forecaster.name).toBe("seasonal-regression");
});

test("the chosen one is fitted on the whole history, so the next step continues it", () => {
  const history = waveHistory({ seasons: 6, noise: 0.01 });
  const forecast = choiceOf(history).forecaster.forecast({
    horizonSteps: 1,
    quantiles: [0.5],
    pathCount: 0,
    random: () => 0,
  });
  if ("cannot" in forecast) throw new Error(forecast.cannot);
  expect(forecast.quantiles[0]![0]).toBeCloseTo(waveAt(0, 96), -1);
});

test("restores by name; unknown names are told", () => {
  const restored = restoreForecaster("seasonal-median", waveHistory({ seasons: 4 }));
  expect("name" in restored && restored.name).toBe("seasonal-median");
  expect(restoreForecaster("oracle", waveHistory({ seasons: 4 }))).toEqual({
    cannot: "no forecasting method is called oracle",
  });
});
