/** What can be asked of a fleet; both are rates in requests per second. */
export type MetricName = "offered_requests_per_second" | "failed_requests_per_second";

export interface MetricQuery {
  fleet: string;
  metric: MetricName;
  /** Start of the first step; wall time in milliseconds. */
  fromMs: number;
  /** Only steps that end at or before it are answered. */
  toMs: number;
  stepMs: number;
}

/** A regular grid: `values[i]` is the mean from `startMs + i * stepMs` over one step; null marks a gap. */
export interface MetricSeries {
  startMs: number;
  stepMs: number;
  values: (number | null)[];
}

/** Where measurements come from. What was not measured is a gap, never zero and never a guess. Errors: INVALID_REQUEST. */
export interface MetricSource {
  series(query: MetricQuery): Promise<MetricSeries>;
  close(): Promise<void>;
}
