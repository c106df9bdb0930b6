/** What an operator asked for; taken from the template's `demand`, `capacity` and `standby`. */
export interface CapacityPolicy {
  /** Demand one host carries at full use, in the fleet's demand unit. */
  perHost: number;
  /** Share of `perHost` that hosts are planned for, in (0, 1]. */
  targetUtilization: number;
  /** Promised share of claims granted from standby at once, in (0.5, 1). */
  serviceLevel: number;
  minServing: number;
  maxHosts: number;
  standbyMin: number;
  standbyMax: number;
  /** Lower demand must last this long before serving hosts leave. */
  scaleInHoldSeconds: number;
  /** Time until the next decision. */
  reviewSeconds: number;
}

/** Hosts of a fleet by what they can do now. */
export interface PoolCounts {
  /** Serving, promoting or updating. */
  serving: number;
  /** Standby, claimable or being refreshed. */
  standby: number;
  /** Seconds since the decision, for each host still being bootstrapped. */
  bootstrappingAgesSeconds: readonly number[];
  /** Seconds since verification, for each standby host that no claim has taken yet; empty where not known. */
  unusedStandbyAgesSeconds?: readonly number[];
}

export interface CapacityInput {
  nowMs: number;
  stepSeconds: number;
  /** Measured demand, newest last; null marks a gap. At least `scaleInHoldSeconds` long. */
  recentDemand: readonly (number | null)[];
  /** `paths[p][h]`: joint futures, h = 0 is the coming step; null when there is no forecast. */
  forecastPaths: readonly (readonly number[])[] | null;
  /** Recent times from decision to standby; empty when none was measured. */
  leadTimeSeconds: readonly number[];
  pool: PoolCounts;
  policy: CapacityPolicy;
  /** Standby learned from history for when there is no forecast (`learnFixedBuffer`); null when unknown. */
  fallbackBufferHosts: number | null;
  /** Most standby a forecast may ask for (`learnFixedBuffer` at a level near 1); null leaves it unbounded. */
  riseLimitHosts?: number | null;
  /** Share of launches that fail, in [0, 1). */
  launchFailureShare: number;
}

/** `forecast`: sized from sample paths; `buffer`: learned fixed buffer; `static`: the template's minimum or a fixed count. */
export type DecisionBasis = "forecast" | "buffer" | "static";

/** How many hosts there should be, and why. */
export interface CapacityDecision {
  servingTarget: number;
  standbyTarget: number;
  /** One line with the numbers, for people. */
  explanation: string;
  /** After this time the decision must be made again before anyone acts on it. */
  validUntilMs: number;
  basis: DecisionBasis;
}
