import { z } from "zod";

/** What the load generator is told on standard input. */
export const loadPlanSchema = z.object({
  url: z.string(),
  startAtMs: z.number(),
  stepMs: z.number().positive(),
  /** Requests per second of each step. */
  rates: z.array(z.number().min(0)),
  /** Steps before this one are sent but not counted. */
  countFromStep: z.number().int().min(0),
  seed: z.number().int(),
});
export type LoadPlan = z.infer<typeof loadPlanSchema>;

export const loadProgressSchema = z.object({
  step: z.number().int(),
  requests: z.number().int(),
  failed: z.number().int(),
  latencyMs: z.object({ p50: z.number(), p99: z.number() }),
});
/** Counts since counting began; latency of the last second. */
export type LoadProgress = z.infer<typeof loadProgressSchema>;

export const loadSummarySchema = z.object({
  done: z.literal(true),
  requests: z.number().int(),
  failed: z.number().int(),
  /** Reasons of failure and how often each came. */
  failures: z.record(z.string(), z.number().int()),
  latencyMs: z.object({ p50: z.number(), p99: z.number(), max: z.number() }),
  /** Configuration versions that answers showed, with their counts. */
  versions: z.record(z.string(), z.number().int()),
});
export type LoadSummary = z.infer<typeof loadSummarySchema>;
