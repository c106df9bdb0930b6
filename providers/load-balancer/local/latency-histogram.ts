const upperBoundsMs = [1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 200, 300, 500, 1000, 2000, 5000] as const;

/** Counts of response times in fixed buckets: recording costs no allocation. */
export class LatencyHistogram {
  readonly #counts = new Float64Array(upperBoundsMs.length + 1);

  /** Adds one response time in milliseconds. */
  record(latencyMs: number): void {
    let bucket = 0;
    while (bucket < upperBoundsMs.length && latencyMs > (upperBoundsMs[bucket] ?? 0)) bucket += 1;
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
  }

  /** How many responses fell at or under each bound; the last bound is +Infinity, written null. */
  cumulative(): { upperMs: number | null; count: number }[] {
    let count = 0;
    return Array.from(this.#counts, (own, bucket) => {
      count += own;
      return { upperMs: upperBoundsMs[bucket] ?? null, count };
    });
  }
}
