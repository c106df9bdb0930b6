/** The standard normal's 90 % quantile. */
const z90 = 1.2815515655446004;

export interface LeadTimeDistribution {
  p50Seconds: number;
  p90Seconds: number;
}

/** Log-normal lead times with the given median and 90th percentile, by the Box-Muller transform. */
export function drawLeadTimes(
  { p50Seconds, p90Seconds }: LeadTimeDistribution,
  count: number,
  random: () => number,
): number[] {
  const sigma = Math.log(p90Seconds / p50Seconds) / z90;
  return Array.from({ length: count }, () => {
    const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    return p50Seconds * Math.exp(sigma * normal);
  });
}
