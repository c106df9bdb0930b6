import type { CapacityPolicy } from "./capacity-decision.ts";
import { upperQuantile } from "./order-statistics.ts";
import { hostsNeeded } from "./serving-target.ts";

export interface BufferHistory {
  /** Demand, oldest first; null marks a gap. */
  values: readonly (number | null)[];
  stepSeconds: number;
  leadTimeSeconds: number;
  policy: CapacityPolicy;
  /** Share of past windows the buffer covers. */
  level: number;
}

/**
 * Standby that would have covered the rise of need, over what the scale-in hold kept, within one lead time and review
 * in `level` of all past windows; null without a single whole window.
 */
export function learnFixedBuffer({
  values,
  stepSeconds,
  leadTimeSeconds,
  policy,
  level,
}: BufferHistory): number | null {
  const steps = Math.max(1, Math.ceil((leadTimeSeconds + policy.reviewSeconds) / stepSeconds - 1e-9) - 1);
  const holdSteps = Math.ceil(policy.scaleInHoldSeconds / stepSeconds);
  const needs = values.map((demand) => (demand === null ? null : hostsNeeded(demand, policy)));
  const rises: number[] = [];
  const wholeRise = (now: number): number | null => {
    const held = needs.slice(now - holdSteps, now + 1).filter((need) => need !== null);
    const later = needs.slice(now + 1, now + 1 + steps).filter((need) => need !== null);
    if (held.length <= holdSteps || later.length < steps) return null;
    return Math.max(0, Math.max(...later) - Math.max(...held));
  };
  for (let now = holdSteps; now + steps < needs.length; now += 1) {
    const rise = wholeRise(now);
    if (rise !== null) rises.push(rise);
  }
  return rises.length === 0 ? null : upperQuantile(rises, level);
}

/** The level at which `learnFixedBuffer` gives the most standby a forecast may ask for: rises beyond it are too rare to hold. */
export function riseLimitLevel(serviceLevel: number): number {
  return 1 - (1 - serviceLevel) / 5;
}
