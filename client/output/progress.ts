const eighths = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"] as const;

/** Draws a bar of `width` columns that is filled to `done` of `total`, in eighths of a column. */
export function renderBar({ done, total, width }: { done: number; total: number; width: number }): string {
  const share = total <= 0 ? 1 : Math.min(1, Math.max(0, done / total));
  const units = Math.round(share * width * 8);
  const full = "█".repeat(Math.floor(units / 8));
  return (full + (eighths[units % 8] ?? "")).padEnd(width, "░");
}

/** Writes a duration the way people say it: 850 ms, 4.2 s, 3 min 5 s, 2 h 10 min. */
export function formatDuration(durationMs: number): string {
  if (durationMs < 1000) return `${Math.round(durationMs)} ms`;
  const seconds = durationMs / 1000;
  if (seconds < 59.95) return `${Number(seconds.toFixed(1))} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** One line of progress: `hosts ready  ███░░  3 of 5  4.2 s`. */
export function renderProgress(progress: { label: string; done: number; total: number; elapsedMs: number }): string {
  const { label, done, total, elapsedMs } = progress;
  return `${label}  ${renderBar({ done, total, width: 20 })}  ${done} of ${total}  ${formatDuration(elapsedMs)}`;
}
