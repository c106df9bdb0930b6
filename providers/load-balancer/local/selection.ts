import type { PreferNewest } from "../load-balancer.ts";

/** What the choice of a backend reads and, in `credit` and `share`, writes. */
export interface Candidate {
  weight: number;
  epoch: number;
  draining: boolean;
  healthy: boolean;
  /** A connection to it failed; it takes nothing until a check passes. */
  ejected: boolean;
  /** When it last began to take requests: the start of its slow start. */
  activeSinceMs: number;
  inFlight: number;
  /** Part of a request owed to it (positive) or had too early (negative). */
  credit: number;
  /** Effective weight of the choice under way; kept here to spare an allocation per request. */
  share: number;
}

export interface SelectionPolicy {
  preferNewest: PreferNewest;
  slowStartMs: number;
}

/** One choice: the moment, and a backend that just failed this request. */
export interface Choice<B extends Candidate> {
  nowMs: number;
  exclude: B | null;
}

const fullWeight = 256;
/** Share that each epoch of lag leaves under `weighted`. */
const decayPerEpoch = 0.5;
const slowStartFloor = 0.1;
/** Enough for right shares when idle, and too little to overload a slow backend when busy. */
const creditMax = 1;

/** True when the backend may take a new request. */
export function isEligible(backend: Candidate): boolean {
  return backend.healthy && !backend.ejected && !backend.draining && backend.weight > 0;
}

/**
 * Part of its weight that a backend `lag` epochs behind the newest keeps: 0 under `strict`,
 * max(1, floor(W * d^lag)) / W with W = 256 and d = 1/2 under `weighted`.
 */
export function epochFactor(preferNewest: PreferNewest, lag: number): number {
  if (preferNewest === "off" || lag <= 0) return 1;
  if (preferNewest === "strict") return 0;
  return Math.max(1, Math.floor(fullWeight * decayPerEpoch ** lag)) / fullWeight;
}

/** Part of its weight that a backend has `ageMs` after it began: linear from a tenth to the whole. */
export function slowStartFactor(ageMs: number, slowStartMs: number): number {
  if (ageMs >= slowStartMs) return 1;
  return slowStartFloor + (1 - slowStartFloor) * (Math.max(0, ageMs) / slowStartMs);
}

/**
 * Weighted least connections: picks the backend furthest below its share of the requests in flight; null when none
 * may be used. A carry of at most one request per backend makes shares right also when nearly nothing is in flight,
 * where plain least connections would send everything to the heaviest.
 */
export function chooseBackend<B extends Candidate>(
  backends: readonly B[],
  policy: SelectionPolicy,
  choice: Choice<B>,
): B | null {
  const totalShare = weigh(backends, policy, choice);
  if (totalShare === 0) return null;
  let inFlight = 0;
  for (const backend of backends) if (backend.share > 0) inFlight += backend.inFlight;
  let best: B | null = null;
  let bestDeficit = -Infinity;
  for (const backend of backends) {
    if (backend.share === 0) continue;
    const part = backend.share / totalShare;
    backend.credit = Math.min(creditMax, backend.credit + part);
    const deficit = inFlight * part - backend.inFlight + backend.credit;
    if (deficit > bestDeficit) {
      best = backend;
      bestDeficit = deficit;
    }
  }
  if (best !== null) best.credit = Math.max(-creditMax, best.credit - 1);
  return best;
}

/** Writes each backend's effective weight into `share`, 0 for those left out, and returns their sum. */
function weigh<B extends Candidate>(backends: readonly B[], policy: SelectionPolicy, choice: Choice<B>): number {
  let newestEpoch = -Infinity;
  for (const backend of backends) {
    backend.share = isEligible(backend) && backend !== choice.exclude ? backend.weight : 0;
    if (backend.share > 0 && backend.epoch > newestEpoch) newestEpoch = backend.epoch;
  }
  let total = 0;
  for (const backend of backends) {
    if (backend.share === 0) continue;
    const ageMs = choice.nowMs - backend.activeSinceMs;
    backend.share *= epochFactor(policy.preferNewest, newestEpoch - backend.epoch);
    backend.share *= slowStartFactor(ageMs, policy.slowStartMs);
    total += backend.share;
  }
  return total;
}
