import { afterEach, describe, expect, it } from "vitest";
import { ForewarmError } from "../../../domain/errors.ts";
import type { LoadBalancerStats } from "../../../providers/load-balancer/load-balancer.ts";
import { createLoadBalancerMetricSource } from "../../../providers/metrics/load-balancer/load-balancer-metric-source.ts";
import type { MetricSource } from "../../../providers/metrics/metric-source.ts";
import { until } from "../load-balancer/load.ts";

/** Counters that rise by 10 offered and 1 failed request with every reading, readings being 100 ms apart. */
class ScriptedBalancer {
  readings = 0;
  startedAtMs = 0;
  reachable = true;

  async stats(fleet: string): Promise<LoadBalancerStats> {
    if (fleet !== "web") throw new ForewarmError("NOT_FOUND", fleet);
    this.readings += 1;
    if (!this.reachable) throw new ForewarmError("LOAD_BALANCER_UNREACHABLE", "gone");
    return {
      stateVersion: 1,
      atMs: this.nowMs(),
      startedAtMs: this.startedAtMs,
      offeredRequests: this.readings * 10,
      answeredRequests: this.readings * 9,
      failedRequests: this.readings,
      inFlight: 0,
      latencyHistogram: [],
      backends: [],
    };
  }

  nowMs(): number {
    return this.readings * 100;
  }
}

describe("metrics of the load balancer", () => {
  let source: MetricSource | null = null;
  const scripted = (keepMs?: number): ScriptedBalancer => {
    const loadBalancer = new ScriptedBalancer();
    const nowMs = (): number => loadBalancer.nowMs();
    source = createLoadBalancerMetricSource({ loadBalancer, nowMs, sampleEveryMs: 20, ...(keepMs && { keepMs }) });
    return loadBalancer;
  };
  const read = (metric: "offered" | "failed", fromMs: number, toMs: number): Promise<(number | null)[]> =>
    source!
      .series({ fleet: "web", metric: `${metric}_requests_per_second`, fromMs, toMs, stepMs: 200 })
      .then(({ values }) => values);

  afterEach(() => source?.close());

  it("watches a fleet from its first query on and answers rates of both counters", async () => {
    const balancer = scripted();
    expect(await read("offered", 0, 1000)).toEqual([null, null, null, null, null]);
    await until(() => balancer.readings >= 10, "ten readings");
    expect(await read("offered", 100, 900)).toEqual([100, 100, 100, 100]);
    expect(await read("failed", 100, 900)).toEqual([10, 10, 10, 10]);
  });

  it("leaves a gap while the balancer is away and after it began anew", async () => {
    const balancer = scripted();
    await read("offered", 0, 200);
    await until(() => balancer.readings >= 5, "readings before the outage");
    balancer.reachable = false;
    const lost = balancer.readings;
    await until(() => balancer.readings >= lost + 8, "an outage");
    [balancer.reachable, balancer.startedAtMs] = [true, balancer.nowMs()];
    const back = balancer.readings;
    await until(() => balancer.readings >= back + 5, "readings after it");
    expect(await read("offered", 100, 500)).toEqual([100, 100]);
    expect(await read("offered", lost * 100 + 100, lost * 100 + 500)).toEqual([null, null]);
    expect(await read("offered", (back + 1) * 100, (back + 5) * 100)).toEqual([100, 100]);
  });

  it("forgets what is older than it keeps", async () => {
    const balancer = scripted(1000);
    await read("offered", 0, 200);
    // Asking now and then is what keeps the fleet watched.
    await until(async () => (await read("offered", 0, 200)).length === 1 && balancer.readings >= 30, "30 readings");
    const nowMs = balancer.nowMs();
    expect(await read("offered", 100, 500)).toEqual([null, null]);
    expect(await read("offered", nowMs - 500, nowMs - 100)).toEqual([100, 100]);
  });

  it("answers gaps for a fleet that the balancer does not know, and refuses a step of nothing", async () => {
    scripted();
    const query = { metric: "offered_requests_per_second", fromMs: 0, toMs: 200, stepMs: 200 } as const;
    expect((await source!.series({ ...query, fleet: "unknown" })).values).toEqual([null]);
    await expect(source!.series({ ...query, fleet: "web", stepMs: 0 })).rejects.toMatchObject({
      code: "INVALID_REQUEST",
    });
  });
});
