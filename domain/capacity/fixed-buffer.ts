import type { CapacityPolicy } from "./capacity-decision.ts";
import { upperQuantile } from "./order-statistics.ts";
import { hostsNeeded } from "./serving-target.ts";

export interface BufferHistory {
  /** Demand, oldest first; null marks a gap. */
  values: readonly (number | null)[];
  stepSeconds: number;
  leadTimeSeconds: number;
  policy: CapacityPolicy;
}

/**
 * Standby that would have covered the rise of need within one lead time and review in `serviceLevel` of all past
 * windows; null without a single whole window.
 */
export function learnFixedBuffer({ values, stepSeconds, leadTimeSeconds, policy }: BufferHistory): number | null {
  const steps = Math.max(1, Math.ceil((leadTimeSeconds + policy.reviewSeconds) / stepSeconds));
  const needs = values.map((demand) => (demand === null ? null : hostsNeeded(demand, policy)));
  const rises: number[] = [];
  for (let from = 0; from + steps < needs.length; from += 1) {
    const start = needs[from] ?? null;
    const later = needs.slice(from + 1, from + 1 + steps).filter((need) => need !== null);
    if (start !== null && later.length === steps) rises.push(Math.max(0, Math.max(...later) - start));
  }
  return rises.length === 0 ? null : upperQuantile(rises, policy.serviceLevel);
}
