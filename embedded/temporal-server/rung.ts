import type { Environment } from "../config.ts";

/** A Temporal server to use: one that runs elsewhere, or a program to start. */
export type TemporalServer =
  | { kind: "address"; address: string }
  | { kind: "executable"; path: string; version: string };

export interface RungContext {
  environment: Environment;
  /** Our folder in the user's cache; the CLI lies in it as `temporal`. */
  cacheFolder: string;
  downloadEndpoint: string;
  /** Takes one line for people. */
  onProgress: (line: string) => void;
  signal: AbortSignal;
  /** Monotonic milliseconds. */
  nowMs: () => number;
}

/** What a rung found, or in a few words why it found nothing. */
export type RungOutcome = { server: TemporalServer } | { said: string };

/** One way to a Temporal server. It answers instead of throwing, but for a fired signal. */
export interface Rung {
  name: string;
  tryRung(context: RungContext): Promise<RungOutcome>;
}
