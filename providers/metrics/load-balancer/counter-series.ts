import type { MetricSeries } from "../metric-source.ts";

/** A rising counter at one moment. */
export interface CounterReading {
  atMs: number;
  /** When the counter began; it counts from zero again under another value. */
  startedAtMs: number;
  count: number;
}

export interface Grid {
  fromMs: number;
  toMs: number;
  stepMs: number;
  /** Readings further apart than this say nothing about the time between them. */
  gapMs: number;
}

/**
 * Turns readings, oldest first, into mean rates per second on a regular grid. The counter is interpolated linearly at
 * the edges of the steps, so a rate times its step is the requests of that step however irregular the readings are.
 */
export function counterSeries(
  readings: readonly CounterReading[],
  { fromMs, toMs, stepMs, gapMs }: Grid,
): MetricSeries {
  const steps = Math.max(0, Math.floor((toMs - fromMs) / stepMs));
  const edges = countsAt(readings, { fromMs, stepMs, count: steps + 1, gapMs });
  const values = Array.from({ length: steps }, (_, step) => rate(edges[step], edges[step + 1], stepMs));
  return { startMs: fromMs, stepMs, values };
}

function rate(
  before: CounterReading | null = null,
  after: CounterReading | null = null,
  stepMs: number,
): number | null {
  if (before === null || after === null || before.startedAtMs !== after.startedAtMs) return null;
  return ((after.count - before.count) * 1000) / stepMs;
}

/** The counter at `count` regular moments, null where no two readings surround one closely enough. */
function countsAt(
  readings: readonly CounterReading[],
  { fromMs, stepMs, count, gapMs }: { fromMs: number; stepMs: number; count: number; gapMs: number },
): (CounterReading | null)[] {
  let next = 0;
  return Array.from({ length: count }, (_, edge) => {
    const atMs = fromMs + edge * stepMs;
    while ((readings[next]?.atMs ?? Infinity) < atMs) next += 1;
    return interpolate({ before: readings[next - 1], after: readings[next], atMs, gapMs });
  });
}

interface Surroundings {
  before: CounterReading | undefined;
  after: CounterReading | undefined;
  atMs: number;
  gapMs: number;
}

function interpolate({ before, after, atMs, gapMs }: Surroundings): CounterReading | null {
  if (after?.atMs === atMs) return after;
  if (before === undefined || after === undefined) return null;
  const spanMs = after.atMs - before.atMs;
  if (before.startedAtMs !== after.startedAtMs || spanMs > gapMs) return null;
  const count = before.count + ((after.count - before.count) * (atMs - before.atMs)) / spanMs;
  return { atMs, startedAtMs: before.startedAtMs, count };
}
