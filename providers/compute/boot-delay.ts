/** Median and 90th percentile of a delay, in seconds. */
export interface DelayDistribution {
  p50Seconds: number;
  p90Seconds: number;
}

/** The 90th percentile of the standard normal distribution. */
const z90 = 1.2815515655446004;

/** One draw from the standard normal distribution (Box and Muller, 1958). */
function drawNormal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/**
 * One log-normal delay in milliseconds: exp(mu + sigma * z) with mu = ln p50 and sigma = ln(p90 / p50) / z90.
 * A median of 0 gives 0; a p90 below the median counts as the median. `random` is uniform over [0, 1).
 */
export function drawDelayMs(delay: DelayDistribution, random: () => number): number {
  if (delay.p50Seconds <= 0) return 0;
  const sigma = Math.log(Math.max(delay.p90Seconds, delay.p50Seconds) / delay.p50Seconds) / z90;
  return Math.round(delay.p50Seconds * Math.exp(sigma * drawNormal(random)) * 1000);
}
