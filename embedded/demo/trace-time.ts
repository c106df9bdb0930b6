/** The one place where time of the trace and time of the clock are converted into each other. */
export interface TraceTime {
  /** Trace seconds that pass in one second of the clock. */
  speed: number;
  /** Clock time of the first counted step. */
  dayStartWallMs: number;
  wallMsOf: (traceSecondsSinceStart: number) => number;
  traceMsOf: (wallMs: number) => number;
  /** A duration measured on the clock, as trace milliseconds. */
  traceDurationMs: (wallDurationMs: number) => number;
}

export function createTraceTime(speed: number, dayStartWallMs: number): TraceTime {
  return {
    speed,
    dayStartWallMs,
    wallMsOf: (traceSeconds) => dayStartWallMs + (traceSeconds * 1000) / speed,
    traceMsOf: (wallMs) => (wallMs - dayStartWallMs) * speed,
    traceDurationMs: (wallDurationMs) => wallDurationMs * speed,
  };
}
