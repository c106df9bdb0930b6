import { ForewarmError } from "../domain/errors.ts";
import { quantileOfSorted } from "../models/scoring.ts";

/** A real or synthetic series on a regular grid. */
export interface DemandTrace {
  startMs: number;
  stepSeconds: number;
  values: (number | null)[];
}

const secondsPerDay = 86_400;
const rowsMax = 1_000_000;
const cure = "Give a CSV file `timestamp,value` with ISO-8601 UTC times on a regular grid.";

/**
 * Reads `timestamp,value` rows. The step is the smallest distance of two rows; missing rows and empty values become gaps.
 * Throws USAGE naming the line.
 */
export function readTrace(text: string): DemandTrace {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== "");
  if (lines.length < 3) refuse(`a trace needs a header and at least two rows; this one has ${lines.length} lines`);
  if (lines.length > rowsMax) refuse(`a trace has at most ${rowsMax} rows; this one has ${lines.length}`);
  const rows = lines.slice(1).map((line, index) => readRow(line, index + 2));
  const stepMs = smallestStep(rows);
  const startMs = rows[0]?.timeMs ?? 0;
  const length = Math.round(((rows.at(-1)?.timeMs ?? 0) - startMs) / stepMs) + 1;
  if (length > rowsMax) refuse(`the rows span ${length} steps of ${stepMs / 1000} s; at most ${rowsMax} fit`);
  const values: (number | null)[] = Array.from({ length }, () => null);
  rows.forEach((row, index) => {
    const step = (row.timeMs - startMs) / stepMs;
    if (!Number.isInteger(step)) refuse(`line ${index + 2}: the time is off the grid of ${stepMs / 1000} s`);
    values[step] = row.value;
  });
  return { startMs, stepSeconds: stepMs / 1000, values };
}

interface Row {
  timeMs: number;
  value: number | null;
}

function readRow(line: string, lineNumber: number): Row {
  const [time = "", text = ""] = line.split(",");
  const timeMs = Date.parse(time);
  if (Number.isNaN(timeMs)) refuse(`line ${lineNumber}: "${time.slice(0, 40)}" is not a time`);
  const value = text.trim() === "" ? null : Number(text);
  if (value !== null && (!Number.isFinite(value) || value < 0)) {
    refuse(`line ${lineNumber}: "${text.slice(0, 40)}" is not a number of at least 0`);
  }
  return { timeMs, value };
}

function smallestStep(rows: readonly Row[]): number {
  let smallest = Infinity;
  rows.forEach((row, index) => {
    const earlier = rows[index - 1];
    if (earlier === undefined) return;
    if (row.timeMs <= earlier.timeMs) refuse(`line ${index + 2}: times must rise`);
    smallest = Math.min(smallest, row.timeMs - earlier.timeMs);
  });
  return smallest;
}

function refuse(message: string): never {
  throw new ForewarmError("USAGE", `trace: ${message}`, { cure });
}

/** The same series at another step: finer rows are averaged, coarser ones joined by straight lines; gaps stay gaps. */
export function resampleTrace(trace: DemandTrace, stepSeconds: number): DemandTrace {
  const length = Math.floor((trace.values.length * trace.stepSeconds) / stepSeconds);
  const values = Array.from({ length }, (_, step) =>
    stepSeconds > trace.stepSeconds
      ? averageOver(trace, stepSeconds, step)
      : between(trace, (step * stepSeconds) / trace.stepSeconds),
  );
  return { startMs: trace.startMs, stepSeconds, values };
}

function averageOver(trace: DemandTrace, stepSeconds: number, step: number): number | null {
  const rows = stepSeconds / trace.stepSeconds;
  const from = Math.floor(step * rows);
  const known = trace.values.slice(from, Math.floor((step + 1) * rows)).filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0) / known.length;
}

function between(trace: DemandTrace, position: number): number | null {
  const before = Math.floor(position);
  const left = trace.values[before] ?? null;
  const right = trace.values[Math.min(before + 1, trace.values.length - 1)] ?? null;
  return left === null || right === null ? null : left + (right - left) * (position - before);
}

export interface DemandScale {
  /** Requests per second at the peak of a busy day. */
  peak: number;
  /** Requests per second at the first half's 1 % quantile; null keeps the trace's own proportions. */
  trough: number | null;
}

/** A busy day is one whose peak nine days of ten in the first half stay below, so that one burst does not flatten the rest. */
const busyDayShare = 0.9;

/** Maps values linearly to requests per second, by the first half of the trace only. */
export function scaleTrace(trace: DemandTrace, scale: DemandScale): DemandTrace {
  const half = trace.values.slice(0, Math.ceil(trace.values.length / 2));
  const known = half.filter((value) => value !== null).sort((left, right) => left - right);
  const high = quantileOfSorted(dailyPeaks(trace, half), busyDayShare);
  const low = scale.trough === null ? 0 : quantileOfSorted(known, 0.01);
  const floor = scale.trough ?? 0;
  if (!(high > low)) refuse("the first half has no demand to scale by");
  const map = (value: number): number => Math.max(0, floor + ((value - low) * (scale.peak - floor)) / (high - low));
  return { ...trace, values: trace.values.map((value) => (value === null ? null : map(value))) };
}

function dailyPeaks(trace: DemandTrace, values: readonly (number | null)[]): number[] {
  const perDay = stepsPerDay(trace);
  const days = Math.max(1, Math.floor(values.length / perDay));
  return Array.from({ length: days }, (_, day) =>
    values.slice(day * perDay, (day + 1) * perDay).reduce<number>((peak, value) => Math.max(peak, value ?? 0), 0),
  ).sort((left, right) => left - right);
}

export interface TraceDay {
  /** Steps before the day, oldest first. */
  history: (number | null)[];
  steps: (number | null)[];
  startMs: number;
}

/** Whole UTC days in a trace; day 0 begins at the first midnight. */
export function countDays(trace: DemandTrace): number {
  return Math.floor((trace.values.length - firstMidnight(trace)) / stepsPerDay(trace));
}

/** One day and everything before it. Throws USAGE when the trace has no such day. */
export function cutDay(trace: DemandTrace, day: number): TraceDay {
  const days = countDays(trace);
  if (!Number.isInteger(day) || day < 0 || day >= days)
    refuse(`it has days 0 to ${days - 1}; day ${day} was asked for`);
  const from = firstMidnight(trace) + day * stepsPerDay(trace);
  return {
    history: trace.values.slice(0, from),
    steps: trace.values.slice(from, from + stepsPerDay(trace)),
    startMs: trace.startMs + from * trace.stepSeconds * 1000,
  };
}

/** `count` different days of the trace's second half, drawn by `random`, rising. */
export function drawDays(trace: DemandTrace, count: number, random: () => number): number[] {
  const days = countDays(trace);
  const pool = Array.from({ length: days - Math.ceil(days / 2) }, (_, index) => Math.ceil(days / 2) + index);
  const drawn: number[] = [];
  while (drawn.length < count && pool.length > 0) {
    drawn.push(...pool.splice(Math.floor(random() * pool.length), 1));
  }
  return drawn.sort((left, right) => left - right);
}

function stepsPerDay(trace: DemandTrace): number {
  return Math.round(secondsPerDay / trace.stepSeconds);
}

function firstMidnight(trace: DemandTrace): number {
  const sinceMidnight = (trace.startMs / 1000) % secondsPerDay;
  return sinceMidnight === 0 ? 0 : Math.ceil((secondsPerDay - sinceMidnight) / trace.stepSeconds);
}
