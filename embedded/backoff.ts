/** Waits between restarts of one process, in milliseconds. */
export const backoffMs = { first: 200, max: 5_000, resetAfter: 30_000 } as const;

/** Wait before the next start: none after a run of `resetAfter`, otherwise doubled each time. */
export function nextBackoffMs(previousMs: number | null, ranMs: number): number {
  if (ranMs >= backoffMs.resetAfter) return 0;
  return Math.min(Math.max(backoffMs.first, (previousMs ?? 0) * 2), backoffMs.max);
}
