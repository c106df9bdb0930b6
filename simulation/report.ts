import { quantileOfSorted } from "../models/scoring.ts";

/**
 * One day of one policy, of the live demo and of the replay alike. Durations are trace time.
 *
 * - A claim is one serving host added; a warm hit is a claim granted from standby at once; all others are misses.
 * - `wait_ms` is over misses only, 0 without any; a miss still waiting at the end of the day waited until then.
 * - `ready_before_needed`: of the hosts whose start was decided during the day, the share that was verified before a
 *   claim took them. A start that finished after the claim that needed it counts against it, and so does a start
 *   that no claim took during the day (idle to the end, retired unused, or still in flight). null without starts.
 * - `idle_host_minutes`: verified hosts standing by; `shortage_host_minutes`: claims waiting; both times minutes.
 * - `requests` and what follows from them is null where no requests were sent (replay).
 */
export interface ReplayReport {
  steps: number;
  requests: number | null;
  failed_requests: number | null;
  latency_ms: { p50: number; p99: number } | null;
  claims: number;
  warm_hits: number;
  wait_ms: { p50: number; p99: number; max: number };
  host_starts: number;
  ready_before_needed: number | null;
  /** Median seconds from the decision to start a host until it stood by or served; null without finished starts. */
  lead_seconds_median: number | null;
  idle_host_minutes: number;
  shortage_host_minutes: number;
  promoted_with_stale_configuration: number;
}

/** A host start of the day, as far as it went. Times are trace time. */
export interface HostStart {
  decidedAtMs: number;
  verifiedAtMs: number | null;
  /** First claim that took the host; for a host that went straight to a waiting claim, when that claim was made. */
  claimedAtMs: number | null;
}

/** What a day is reported from; replay and live demo collect the same. */
export interface DayEvents {
  steps: number;
  /** One entry per claim: how long it waited, 0 for a warm hit. */
  waitsMs: readonly number[];
  starts: readonly HostStart[];
  idleHostMs: number;
  shortageHostMs: number;
  staleHandOuts: number;
}

export function reportOf(day: DayEvents): ReplayReport {
  const waits = day.waitsMs.filter((wait) => wait > 0).sort((left, right) => left - right);
  return {
    steps: day.steps,
    requests: null,
    failed_requests: null,
    latency_ms: null,
    claims: day.waitsMs.length,
    warm_hits: day.waitsMs.length - waits.length,
    wait_ms: { p50: orZero(waits, 0.5), p99: orZero(waits, 0.99), max: waits.at(-1) ?? 0 },
    host_starts: day.starts.length,
    ready_before_needed: readyBeforeNeeded(day.starts),
    lead_seconds_median: medianLeadSeconds(day.starts),
    idle_host_minutes: day.idleHostMs / 60_000,
    shortage_host_minutes: day.shortageHostMs / 60_000,
    promoted_with_stale_configuration: day.staleHandOuts,
  };
}

/** Share of starts verified before a claim took them; the definition stands at `ReplayReport`. */
export function readyBeforeNeeded(starts: readonly HostStart[]): number | null {
  if (starts.length === 0) return null;
  return starts.filter(wasReady).length / starts.length;
}

function wasReady({ verifiedAtMs, claimedAtMs }: HostStart): boolean {
  return verifiedAtMs !== null && claimedAtMs !== null && verifiedAtMs <= claimedAtMs;
}

function medianLeadSeconds(starts: readonly HostStart[]): number | null {
  const leads = starts
    .flatMap(({ verifiedAtMs, decidedAtMs }) => (verifiedAtMs === null ? [] : [(verifiedAtMs - decidedAtMs) / 1000]))
    .sort((left, right) => left - right);
  return leads.length === 0 ? null : quantileOfSorted(leads, 0.5);
}

function orZero(sorted: readonly number[], probability: number): number {
  return sorted.length === 0 ? 0 : quantileOfSorted(sorted, probability);
}

/** Share of claims granted from standby at once; 1 without claims. */
export function hitRateOf(report: Pick<ReplayReport, "claims" | "warm_hits">): number {
  return report.claims === 0 ? 1 : report.warm_hits / report.claims;
}
