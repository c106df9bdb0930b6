/** The smallest of the given numbers that at least `share` of them do not exceed; NaN when there are none. */
export function upperQuantile(numbers: readonly number[], share: number): number {
  const sorted = numbers.toSorted((left, right) => left - right);
  const index = Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length - 1e-9) - 1));
  return sorted[index] ?? Number.NaN;
}

/** Launches to make so that at least `wanted` of them succeed with probability `confidence`; each fails alone. */
export function launchesFor(wanted: number, failureShare: number, confidence: number): number {
  if (wanted <= 0 || failureShare <= 0) return Math.max(0, wanted);
  let launches = wanted;
  while (launches < 3 * wanted + 20 && atLeast(wanted, launches, 1 - failureShare) < confidence) launches += 1;
  return launches;
}

/** P(Binomial(trials, chance) ≥ successes), summed from below. */
function atLeast(successes: number, trials: number, chance: number): number {
  let term = (1 - chance) ** trials;
  let below = 0;
  for (let count = 0; count < successes; count += 1) {
    below += term;
    term *= ((trials - count) / (count + 1)) * (chance / (1 - chance));
  }
  return 1 - below;
}
