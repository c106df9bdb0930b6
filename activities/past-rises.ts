import type { CapacityPolicy } from "../domain/capacity/capacity-decision.ts";
import { learnFixedBuffer, riseLimitLevel } from "../domain/capacity/fixed-buffer.ts";
import { upperQuantile } from "../domain/capacity/order-statistics.ts";
import type { DemandSeries } from "../providers/store/store.ts";

/** What history says of rises within one lead time; null where it is too short to say. */
export interface PastRises {
  /** Standby that covers them at the promised level, for when there is no forecast. */
  fallbackBufferHosts: number | null;
  /** Standby beyond which rises are too rare to be held. */
  riseLimitHosts: number | null;
}

export interface PastRisesRequest {
  fleet: string;
  series: DemandSeries;
  leads: readonly number[];
  policy: CapacityPolicy;
}

/** Ticks between two looks at the whole history: rises of many days change slowly, and reading them is not free. */
const learnEveryTicks = 20;

/** Learns rises anew every twentieth tick of a fleet, and whenever the length of its history jumps. */
export function createPastRises(): (request: PastRisesRequest) => PastRises {
  const learned = new Map<string, { rises: PastRises; ticksLeft: number; samples: number }>();
  return ({ fleet, series, leads, policy }) => {
    const known = learned.get(fleet);
    const samples = series.values.length;
    if (known !== undefined && known.ticksLeft > 0 && samples <= known.samples + learnEveryTicks) {
      known.ticksLeft -= 1;
      return known.rises;
    }
    const history = { values: series.values, stepSeconds: series.stepMs / 1000, policy };
    const leadAt = (level: number): number => (leads.length === 0 ? 0 : upperQuantile(leads, level));
    const rises = {
      fallbackBufferHosts: learnFixedBuffer({ ...history, leadTimeSeconds: leadAt(0.5), level: policy.serviceLevel }),
      riseLimitHosts: learnFixedBuffer({
        ...history,
        leadTimeSeconds: leadAt(0.9),
        level: riseLimitLevel(policy.serviceLevel),
      }),
    };
    learned.set(fleet, { rises, ticksLeft: learnEveryTicks, samples });
    return rises;
  };
}
