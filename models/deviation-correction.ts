import { addRow, createNormalEquations, solveRidge } from "./least-squares.ts";
import { isComplete, logSeasonsBefore, meanDeviation, type SeasonalSeries } from "./seasonal-series.ts";

/** What the correction of the seasonal base may look at. */
export type CorrectionInputs = "none" | "recent" | "recent-and-seasons";

/** Coefficients by horizon: `coefficients[i]` belongs to `anchors[i]` steps ahead; between anchors they are blended. */
export interface Correction {
  inputs: CorrectionInputs;
  coefficients: number[][];
}

/** Steps ahead at which a regression is fitted. */
const anchors = [1, 2, 3, 4, 6, 8, 12, 18, 27, 40, 60] as const;
const ridge = 0.002;
const originStride = 3;

const inputCounts: Record<CorrectionInputs, number> = { none: 0, recent: 3, "recent-and-seasons": 8 };

/** Fits how much of the latest deviations is still there h steps later (a damped level correction). */
export function fitCorrection(series: SeasonalSeries, inputs: CorrectionInputs): Correction {
  if (inputs === "none") return { inputs, coefficients: [] };
  const rows = trainingRows(series, inputs);
  return { inputs, coefficients: anchors.map((ahead) => fitAnchor(series, rows, ahead)) };
}

/**
 * Expected deviation at 1 … horizonSteps steps after `origin` (the index of the first unknown step),
 * from what was known before `origin` only.
 */
export function correctionAfter(series: SeasonalSeries, correction: Correction, at: Target): Float64Array {
  const expected = new Float64Array(at.horizonSteps);
  if (correction.inputs === "none") return expected;
  const inputs = recentInputs(series, correction.inputs, at.origin);
  for (let ahead = 1; ahead <= at.horizonSteps; ahead += 1) {
    seasonInputs(series, inputs, { origin: at.origin, step: at.origin + ahead - 1, base: at.bases?.[ahead - 1] });
    expected[ahead - 1] = blended(correction, inputs, ahead);
  }
  return expected;
}

export interface Target {
  origin: number;
  horizonSteps: number;
  /** Bases of the coming steps where the series does not hold them yet. */
  bases?: readonly number[];
}

/** The known inputs of every origin the regressions learn from; the same for all horizons. */
function trainingRows(series: SeasonalSeries, inputs: CorrectionInputs): { origin: number; row: Float64Array }[] {
  const rows: { origin: number; row: Float64Array }[] = [];
  const first = series.seasonSteps + 12;
  for (let origin = first; origin < series.values.length; origin += originStride) {
    if (isComplete(series, origin - 1, origin)) rows.push({ origin, row: recentInputs(series, inputs, origin) });
  }
  return rows;
}

function fitAnchor(series: SeasonalSeries, rows: ReturnType<typeof trainingRows>, ahead: number): number[] {
  const equations = createNormalEquations(rows[0]?.row.length ?? 0);
  for (const { origin, row } of rows) {
    const step = origin + ahead - 1;
    if (step >= series.values.length || !isComplete(series, step, step + 1)) continue;
    seasonInputs(series, row, { origin, step, base: undefined });
    addRow(equations, row, series.deviations[step] ?? 0);
  }
  return solveRidge(equations, ridge);
}

function recentInputs(series: SeasonalSeries, inputs: CorrectionInputs, origin: number): Float64Array {
  const row = new Float64Array(inputCounts[inputs]);
  row[0] = meanDeviation(series, origin - 1, origin);
  row[1] = meanDeviation(series, origin - 3, origin);
  row[2] = meanDeviation(series, origin - 12, origin);
  if (inputs !== "recent-and-seasons") return row;
  row[3] = meanDeviation(series, origin - 1, origin) - meanDeviation(series, origin - 2, origin - 1);
  row[4] = meanDeviation(series, origin - 3, origin) - meanDeviation(series, origin - 6, origin - 3);
  row[5] = meanDeviation(series, origin - series.seasonSteps, origin);
  return row;
}

/** How the same slot yesterday and a week ago differed from the base of the target step. */
function seasonInputs(series: SeasonalSeries, row: Float64Array, target: SeasonTarget): void {
  if (row.length < inputCounts["recent-and-seasons"]) return;
  const base = target.base ?? series.bases[target.step] ?? Number.NaN;
  row[6] = 0;
  row[7] = 0;
  if (target.step - series.seasonSteps >= target.origin) return;
  row[6] = finiteOr0(logSeasonsBefore(series, target.step, 1) - base);
  row[7] = finiteOr0(logSeasonsBefore(series, target.step, 7) - base);
}

interface SeasonTarget {
  origin: number;
  step: number;
  base: number | undefined;
}

function finiteOr0(value: number): number {
  return Number.isFinite(value) ? value : 0;
}

function blended(correction: Correction, inputs: Float64Array, ahead: number): number {
  let upper = anchors.findIndex((anchor) => anchor >= ahead);
  if (upper === -1) upper = anchors.length - 1;
  const lower = Math.max(0, upper - 1);
  const [from, to] = [anchors[lower] ?? 1, anchors[upper] ?? 1];
  const weight = to === from ? 1 : Math.min(1, (ahead - from) / (to - from));
  return (
    weight * product(correction.coefficients[upper], inputs) +
    (1 - weight) * product(correction.coefficients[lower], inputs)
  );
}

function product(coefficients: readonly number[] | undefined, inputs: Float64Array): number {
  let sum = 0;
  for (let index = 0; index < inputs.length; index += 1) sum += (coefficients?.[index] ?? 0) * (inputs[index] ?? 0);
  return sum;
}
