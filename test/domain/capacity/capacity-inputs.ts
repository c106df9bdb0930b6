import type { CapacityInput, CapacityPolicy } from "../../../domain/capacity/capacity-decision.ts";

/** One host per 10 requests/s at full use, planned at half. */
export const policy: CapacityPolicy = {
  perHost: 20,
  targetUtilization: 0.5,
  serviceLevel: 0.99,
  minServing: 1,
  maxHosts: 50,
  standbyMin: 1,
  standbyMax: 20,
  scaleInHoldSeconds: 600,
  reviewSeconds: 60,
};

export function flat(demand: number, steps = 30): number[] {
  return Array.from({ length: steps }, () => demand);
}

/** Steady demand for 5 hosts, 5 serving, forecasts that stay there. */
export function inputOf(changes: Partial<CapacityInput> = {}): CapacityInput {
  return {
    nowMs: 1_000_000,
    stepSeconds: 60,
    recentDemand: flat(50),
    forecastPaths: [flat(50)],
    leadTimeSeconds: [120],
    pool: { serving: 5, standby: 1, bootstrappingAgesSeconds: [] },
    policy,
    fallbackBufferHosts: null,
    launchFailureShare: 0,
    ...changes,
  };
}
