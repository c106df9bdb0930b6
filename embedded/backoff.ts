/** Waits between restarts of one process, in milliseconds. */
export const backoffMs = { first: 200, max: 5_000, resetAfter: 30_000 } as const;

/** Wait before the next start: doubled each time, from the beginning again after a run of `resetAfter`. */
export function nextBackoffMs(previousMs: number | null, ranMs: number): number {
  if (previousMs === null || ranMs >= backoffMs.resetAfter) return backoffMs.first;
  return Math.min(previousMs * 2, backoffMs.max);
}
