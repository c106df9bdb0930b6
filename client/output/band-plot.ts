import { padTo } from "./text-width.ts";
import { resample } from "./sparkline.ts";

/** Quantiles of the forecast for one step. */
export interface ForecastBand {
  low: number;
  median: number;
  high: number;
}

export interface BandPlot {
  /** Observed demand, oldest first; gaps are null. */
  history: readonly (number | null)[];
  /** The steps after the last of `history`. */
  forecast: readonly ForecastBand[];
  /** Demand the hosts can carry, one for each step of history and forecast; may be shorter. */
  capacity: readonly (number | null)[];
  /** Rows of the plot without axis and legend. */
  height: number;
  /** Columns in all. */
  width: number;
  /** Unit named in the legend, such as "requests/s". */
  unit: string;
}

const marks = { history: "●", median: "─", band: "░", capacity: "▔", now: "┊" } as const;

/** Draws demand up to now, the band expected after it, and what the hosts can carry, on one scale from 0. */
export function renderBandPlot(plot: BandPlot): string {
  const top = niceCeiling(highest(plot));
  const labels = [top, top / 2, 0].map((value) => shortNumber(value));
  const gutter = Math.max(...labels.map((label) => label.length));
  const scaled = fit(plot, Math.max(4, plot.width - gutter - 2));
  const columns = columnsOf(scaled, top);
  const rows = Array.from({ length: plot.height }, (_value, index) => {
    const label = labelAt(index, plot.height, labels);
    const cells = columns.map((column) => column[plot.height - 1 - index] ?? " ").join("");
    return `${padTo(label, gutter, "right")} ┤${cells}`.trimEnd();
  });
  const axis = `${" ".repeat(gutter)} └${"─".repeat(columns.length)}`;
  return [...rows, axis, legend(plot, gutter)].join("\n");
}

function highest({ history, forecast, capacity }: BandPlot): number {
  const values = [...history, ...capacity, ...forecast.map((band) => band.high)].filter((value) => value !== null);
  return values.reduce((most, value) => Math.max(most, value), 0);
}

/** The next of 1, 2, 2.5, 5 times a power of ten, so that the axis has readable labels. */
function niceCeiling(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 2.5, 5, 10].find((step) => step * power >= value) ?? 10) * power;
}

/** Brings history and forecast to the room there is, in the same proportion. */
function fit(plot: BandPlot, room: number): BandPlot {
  const steps = plot.history.length + plot.forecast.length;
  const space = room - 1;
  if (steps <= space) return plot;
  const ahead = Math.round((plot.forecast.length * space) / steps);
  const behind = space - ahead;
  const pick = (key: keyof ForecastBand): number[] =>
    resample(
      plot.forecast.map((band) => band[key]),
      ahead,
    ).map((value) => value ?? 0);
  const [low, median, high] = [pick("low"), pick("median"), pick("high")];
  const past = plot.capacity.slice(0, plot.history.length);
  return {
    ...plot,
    history: resample(plot.history, behind),
    forecast: median.map((value, index) => ({ low: low[index] ?? 0, median: value, high: high[index] ?? 0 })),
    capacity: [...resample(past, behind), ...resample(plot.capacity.slice(plot.history.length), ahead)],
  };
}

/** One list of characters for each column, lowest row first. */
function columnsOf({ history, forecast, capacity, height }: BandPlot, top: number): string[][] {
  const rowOf = (value: number): number => Math.min(height - 1, Math.max(0, Math.ceil((value / top) * height) - 1));
  const withCapacity = (column: string[], index: number): string[] => {
    const value = capacity[index] ?? null;
    if (value !== null && column[rowOf(value)] === " ") column[rowOf(value)] = marks.capacity;
    return column;
  };
  const blank = (): string[] => Array.from({ length: height }, () => " ");
  const past = history.map((value, index) => {
    const column = blank();
    if (value !== null) column[rowOf(value)] = marks.history;
    return withCapacity(column, index);
  });
  const ahead = forecast.map((band, index) => {
    const column = blank().map((cell, row): string =>
      row >= rowOf(band.low) && row <= rowOf(band.high) ? marks.band : cell,
    );
    column[rowOf(band.median)] = marks.median;
    return withCapacity(column, history.length + index);
  });
  const now = Array.from({ length: height }, (): string => marks.now);
  return [...past, now, ...ahead];
}

function labelAt(row: number, height: number, labels: readonly string[]): string {
  if (row === 0) return labels[0] ?? "";
  if (row === Math.floor(height / 2) && height > 3) return labels[1] ?? "";
  return row === height - 1 ? (labels[2] ?? "") : "";
}

function legend({ forecast, capacity, unit }: BandPlot, gutter: number): string {
  const parts = [`${marks.history} demand (${unit})`];
  if (forecast.length > 0) parts.push(`${marks.median} forecast`, `${marks.band} band`);
  if (capacity.length > 0) parts.push(`${marks.capacity} hosts can carry`);
  return `${" ".repeat(gutter + 2)}${parts.join("  ")}`;
}

/** Writes a number in at most five characters: 950, 1.2k, 3.4M. */
export function shortNumber(value: number): string {
  const [size, unit] = value >= 1e6 ? [1e6, "M"] : [1e3, "k"];
  if (value >= 1e3) return `${Number((value / size).toPrecision(3))}${unit}`;
  return String(Number(value.toPrecision(3)));
}
