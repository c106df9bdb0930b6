import { ForewarmError } from "../../../domain/errors.ts";
import { limits } from "../../../domain/limits.ts";
import type { LoadBalancer, LoadBalancerStats } from "../../load-balancer/load-balancer.ts";
import type { MetricName, MetricQuery, MetricSource } from "../metric-source.ts";
import { counterSeries, type CounterReading } from "./counter-series.ts";

export interface LoadBalancerMetricsOptions {
  loadBalancer: Pick<LoadBalancer, "stats">;
  nowMs: () => number;
  /** How often counters are read, default 1 s. */
  sampleEveryMs?: number;
  /** How long readings are kept, and a fleet is read that nobody asks for; default one hour. */
  keepMs?: number;
}

interface WatchedFleet {
  readings: Record<MetricName, CounterReading>[];
  askedAtMs: number;
}

const counters: Record<MetricName, (stats: LoadBalancerStats) => number> = {
  offered_requests_per_second: (stats) => stats.offeredRequests,
  failed_requests_per_second: (stats) => stats.failedRequests,
};

/** Readings that follow each other within this many sampling periods belong together. */
const gapPeriods = 5;

/**
 * Reads the balancer's rising counters at short intervals, from a fleet's first query on, and answers rates on any grid.
 * A balancer that cannot be reached, or began to count anew, leaves a gap.
 */
export function createLoadBalancerMetricSource(options: LoadBalancerMetricsOptions): MetricSource {
  const { loadBalancer, nowMs, sampleEveryMs = 1000, keepMs = 3_600_000 } = options;
  const fleets = new Map<string, WatchedFleet>();

  async function sample(fleet: string, watched: WatchedFleet): Promise<void> {
    const stats = await loadBalancer.stats(fleet).catch(() => null);
    const last = watched.readings.at(-1)?.offered_requests_per_second.atMs ?? -Infinity;
    if (stats === null || stats.atMs <= last) return;
    watched.readings.push({
      offered_requests_per_second: readingOf(stats, "offered_requests_per_second"),
      failed_requests_per_second: readingOf(stats, "failed_requests_per_second"),
    });
    forget(watched, stats.atMs - keepMs);
  }

  const timer = setInterval(() => {
    for (const [fleet, watched] of fleets) {
      if (watched.askedAtMs < nowMs() - keepMs) fleets.delete(fleet);
      else void sample(fleet, watched);
    }
  }, sampleEveryMs).unref();

  return {
    async series({ fleet, metric, fromMs, toMs, stepMs }: MetricQuery) {
      if (!(stepMs > 0)) throw new ForewarmError("INVALID_REQUEST", `a step of ${stepMs} ms of ${metric} of ${fleet}`);
      const watched = fleets.get(fleet) ?? { readings: [], askedAtMs: 0 };
      watched.askedAtMs = nowMs();
      fleets.set(fleet, watched);
      await sample(fleet, watched);
      const readings = watched.readings.map((reading) => reading[metric]);
      return counterSeries(readings, { fromMs, toMs, stepMs, gapMs: gapPeriods * sampleEveryMs });
    },
    async close() {
      clearInterval(timer);
      fleets.clear();
    },
  };
}

function readingOf(stats: LoadBalancerStats, metric: MetricName): CounterReading {
  return { atMs: stats.atMs, startedAtMs: stats.startedAtMs, count: counters[metric](stats) };
}

function forget(watched: WatchedFleet, beforeMs: number): void {
  const { readings } = watched;
  const kept = readings.findIndex((reading) => reading.offered_requests_per_second.atMs >= beforeMs);
  const tooMany = readings.length - limits.metricReadingsMax;
  const count = Math.max(kept, tooMany);
  if (count > 0) readings.splice(0, count);
}
