import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { LoadBalancer, LoadBalancerState } from "../../providers/load-balancer/load-balancer.ts";
import { sendLoad, startLoad, until } from "../providers/load-balancer/load.ts";
import { startBackend, type TestBackend } from "../providers/load-balancer/test-backend.ts";

export interface LoadBalancerUnderTest {
  balancer: LoadBalancer;
  close(): Promise<void>;
}

const churnCycles = 50;

/** What every load balancer must do, with real backends and real requests on loopback addresses. */
export function describeLoadBalancer(name: string, make: () => Promise<LoadBalancerUnderTest>): void {
  describe(`${name}: load balancer`, () => {
    let subject: LoadBalancerUnderTest;
    let balancer: LoadBalancer;
    const backends: TestBackend[] = [];
    let stateVersion = 0;

    beforeAll(async () => {
      subject = await make();
      balancer = subject.balancer;
    });

    beforeEach(() => {
      stateVersion = 0;
    });

    afterEach(async () => {
      await Promise.all(["web", "other"].map((fleet) => balancer.remove(fleet)));
      await Promise.all(backends.splice(0).map((backend) => backend.close()));
    });

    afterAll(() => subject.close());

    async function backendNamed(hostId: string): Promise<TestBackend> {
      const backend = await startBackend(hostId);
      backends.push(backend);
      return backend;
    }

    function nextState(change: Partial<LoadBalancerState>): LoadBalancerState {
      stateVersion += 1;
      return {
        fleet: "web",
        stateVersion,
        backends: [],
        preferNewest: "off",
        slowStartSeconds: 0,
        healthCheck: { path: "/health", intervalMs: 200, unhealthyAfter: 2, healthyAfter: 1 },
        ...change,
      };
    }

    async function syncTo(change: Partial<LoadBalancerState>): Promise<string> {
      const endpoint = await balancer.sync(nextState(change));
      expect(await balancer.endpoint("web")).toBe(endpoint);
      return endpoint;
    }

    async function whoAnswers(endpoint: string): Promise<string> {
      return (await fetch(endpoint)).text();
    }

    it("lets every request after the reply of a sync follow the new state", async () => {
      const [a, b] = [await backendNamed("a"), await backendNamed("b")];
      for (let round = 0; round < 10; round += 1) {
        const wanted = round % 2 === 0 ? a : b;
        const endpoint = await syncTo({ backends: [wanted.as()] });
        expect(await whoAnswers(endpoint)).toBe(wanted.hostId);
      }
    });

    it("refuses an older state version and takes an equal one as done", async () => {
      const [a, b] = [await backendNamed("a"), await backendNamed("b")];
      const old = nextState({ backends: [b.as()] });
      const current = nextState({ backends: [a.as()] });
      await balancer.sync(current);
      await expect(balancer.sync(old)).rejects.toMatchObject({ code: "STALE_STATE_VERSION", retryable: false });
      await balancer.sync({ ...current, backends: [b.as()] });
      expect(await whoAnswers(await balancer.endpoint("web"))).toBe("a");
      expect((await balancer.stats("web")).stateVersion).toBe(current.stateVersion);
    });

    it("shares requests by weight", async () => {
      const [a, b] = [await backendNamed("a"), await backendNamed("b")];
      const endpoint = await syncTo({ backends: [a.as({ weight: 30 }), b.as({ weight: 10 })] });
      const { byBody, failures } = await sendLoad(endpoint, { connections: 8, count: 400 });
      expect(failures).toEqual([]);
      expect((byBody["b"] ?? 0) / 400).toBeGreaterThan(0.17);
      expect((byBody["b"] ?? 0) / 400).toBeLessThan(0.33);
    });

    it("sends more to the backend that answers faster", async () => {
      const [fast, slow] = [await backendNamed("fast"), await backendNamed("slow")];
      [fast.delayMs, slow.delayMs] = [5, 100];
      const endpoint = await syncTo({ backends: [fast.as(), slow.as()] });
      const { byBody } = await sendLoad(endpoint, { connections: 8, count: 200 });
      expect(byBody["fast"]).toBeGreaterThan(2 * (byBody["slow"] ?? 0));
      expect(byBody["slow"]).toBeGreaterThan(0);
    });

    it("gives nothing to backends of weight 0 or draining", async () => {
      const [a, b, c] = [await backendNamed("a"), await backendNamed("b"), await backendNamed("c")];
      const endpoint = await syncTo({ backends: [a.as(), b.as({ weight: 0 }), c.as({ draining: true })] });
      const { byBody } = await sendLoad(endpoint, { connections: 4, count: 60 });
      expect(byBody).toEqual({ a: 60 });
    });

    it("sends all to the newest epoch under strict, and to the next newest when that one is gone", async () => {
      const [a, b, c] = [await backendNamed("a"), await backendNamed("b"), await backendNamed("c")];
      const backendsOf = (draining: boolean): LoadBalancerState["backends"] => [
        a.as({ epoch: 1 }),
        b.as({ epoch: 3 }),
        c.as({ epoch: 4, draining }),
      ];
      const endpoint = await syncTo({ preferNewest: "strict", backends: backendsOf(false) });
      expect((await sendLoad(endpoint, { connections: 4, count: 40 })).byBody).toEqual({ c: 40 });
      await syncTo({ preferNewest: "strict", backends: backendsOf(true) });
      expect((await sendLoad(endpoint, { connections: 4, count: 40 })).byBody).toEqual({ b: 40 });
    });

    it("sends less to older epochs under weighted, and regards no epoch under off", async () => {
      const [a, b] = [await backendNamed("a"), await backendNamed("b")];
      const both = [a.as({ epoch: 1 }), b.as({ epoch: 3 })];
      const endpoint = await syncTo({ preferNewest: "weighted", backends: both });
      const weighted = await sendLoad(endpoint, { connections: 8, count: 400 });
      expect((weighted.byBody["a"] ?? 0) / 400).toBeGreaterThan(0.1);
      expect((weighted.byBody["a"] ?? 0) / 400).toBeLessThan(0.3);
      await syncTo({ preferNewest: "off", backends: both });
      const off = await sendLoad(endpoint, { connections: 8, count: 400 });
      expect((off.byBody["a"] ?? 0) / 400).toBeGreaterThan(0.4);
    });

    it("drains: takes nothing new, and is empty when the last request ended", async () => {
      const [a, b] = [await backendNamed("a"), await backendNamed("b")];
      a.hold = true;
      const endpoint = await syncTo({ backends: [a.as()] });
      const open = whoAnswers(endpoint);
      await until(() => a.held.length === 1, "the request to arrive");
      await syncTo({ backends: [a.as(), b.as()] });
      expect(await balancer.drain("web", "a", 50)).toBe(false);
      const drained = balancer.drain("web", "a", 10_000);
      expect((await sendLoad(endpoint, { connections: 2, count: 20 })).byBody).toEqual({ b: 20 });
      a.release();
      expect(await drained).toBe(true);
      expect(await open).toBe("a");
      expect(await balancer.drain("web", "never-seen", 1000)).toBe(true);
    });

    it("lets a removed host finish what it has", async () => {
      const [a, b] = [await backendNamed("a"), await backendNamed("b")];
      a.hold = true;
      const endpoint = await syncTo({ backends: [a.as()] });
      const open = whoAnswers(endpoint);
      await until(() => a.held.length === 1, "the request to arrive");
      await syncTo({ backends: [b.as()] });
      expect(await balancer.drain("web", "a", 50)).toBe(false);
      a.release();
      expect(await open).toBe("a");
      expect(await balancer.drain("web", "a", 10_000)).toBe(true);
    });

    it(`fails no request over ${churnCycles} cycles of add, drain and remove under load`, async () => {
      const [stays, comes] = [await backendNamed("stays"), await backendNamed("comes")];
      [stays.delayMs, comes.delayMs] = [2, 2];
      const endpoint = await syncTo({ backends: [stays.as()] });
      const load = startLoad(endpoint, { connections: 8 });
      for (let cycle = 0; cycle < churnCycles; cycle += 1) {
        await syncTo({ backends: [stays.as(), comes.as()] });
        const received = comes.received.length;
        await until(() => comes.received.length > received, "traffic on the added backend");
        expect(await balancer.drain("web", "comes", 5000)).toBe(true);
        await syncTo({ backends: [stays.as()] });
      }
      const report = await load.stop();
      expect(report.failures).toEqual([]);
      expect(report.byBody["comes"]).toBeGreaterThanOrEqual(churnCycles);
    });

    it("fails no GET when a backend dies", async () => {
      const [a, b] = [await backendNamed("a"), await backendNamed("b")];
      [a.delayMs, b.delayMs] = [5, 5];
      const endpoint = await syncTo({ backends: [a.as(), b.as()] });
      const load = startLoad(endpoint, { connections: 8 });
      await until(() => a.received.length > 20, "traffic on both backends");
      await a.close();
      const answered = load.report.byBody["b"] ?? 0;
      await until(() => (load.report.byBody["b"] ?? 0) > answered + 100, "traffic to go on");
      expect((await load.stop()).failures).toEqual([]);
    });

    it("takes a backend out when its health check fails and back in when it passes", async () => {
      const [a, b] = [await backendNamed("a"), await backendNamed("b")];
      const endpoint = await syncTo({ backends: [a.as(), b.as()] });
      const healthOfA = async (): Promise<boolean | undefined> =>
        (await balancer.stats("web")).backends.find(({ hostId }) => hostId === "a")?.healthy;
      a.healthStatus = 503;
      await until(async () => (await healthOfA()) === false, "the check to fail");
      expect((await sendLoad(endpoint, { connections: 2, count: 20 })).byBody).toEqual({ b: 20 });
      a.healthStatus = 200;
      await until(async () => (await healthOfA()) === true, "the check to pass");
      expect((await sendLoad(endpoint, { connections: 2, count: 20 })).byBody["a"]).toBeGreaterThan(0);
    });

    it("counts requests, errors and response times", async () => {
      const a = await backendNamed("a");
      const endpoint = await syncTo({ backends: [a.as()] });
      await sendLoad(endpoint, { connections: 4, count: 50 });
      const stats = await balancer.stats("web");
      expect(stats).toMatchObject({ offeredRequests: 50, answeredRequests: 50, failedRequests: 0, inFlight: 0 });
      expect(stats.latencyHistogram.at(-1)).toEqual({ upperMs: null, count: 50 });
      const counts = stats.latencyHistogram.map(({ count }) => count);
      expect(counts).toEqual(counts.toSorted((left, right) => left - right));
      expect(stats.backends).toHaveLength(1);
      expect(stats.backends[0]).toMatchObject({ hostId: "a", healthy: true, requests: 50, errors: 0, inFlight: 0 });
      expect(stats.backends[0]!.latencyHistogram.at(-1)!.count).toBe(50);
      expect(stats.backends[0]!.lastResponseAtMs).toBeGreaterThan(stats.startedAtMs);
      expect(stats.atMs).toBeGreaterThanOrEqual(stats.backends[0]!.lastResponseAtMs!);
    });

    it("answers 503 and counts a failure when there is no backend", async () => {
      const endpoint = await syncTo({ backends: [] });
      expect((await fetch(endpoint)).status).toBe(503);
      expect(await balancer.stats("web")).toMatchObject({ offeredRequests: 1, answeredRequests: 0, failedRequests: 1 });
    });

    it("mirrors a share without users noticing, where it can", async ({ skip }) => {
      if (!(await balancer.capabilities()).mirror) skip("this balancer cannot mirror");
      const [a, shadow] = [await backendNamed("a"), await backendNamed("shadow")];
      shadow.hold = true;
      const endpoint = await syncTo({ backends: [a.as()] });
      await balancer.mirror("web", { hostId: "shadow", address: "127.0.0.1", port: shadow.port, share: 0.5 });
      const report = await sendLoad(endpoint, { connections: 4, count: 40 });
      expect(report).toMatchObject({ failures: [], byBody: { a: 40 } });
      await until(() => shadow.received.length === 20, "half of the requests to be copied");
      await fetch(endpoint, { method: "POST", body: "never copied" });
      await balancer.mirror("web", null);
      await sendLoad(endpoint, { connections: 2, count: 10 });
      expect(shadow.received).toHaveLength(20);
      expect(await balancer.stats("web")).toMatchObject({ offeredRequests: 51, answeredRequests: 51 });
    });

    it("keeps fleets apart and forgets a removed one", async () => {
      const [a, b] = [await backendNamed("a"), await backendNamed("b")];
      const first = await syncTo({ backends: [a.as()] });
      await balancer.sync(nextState({ fleet: "other", backends: [b.as()] }));
      expect(await whoAnswers(await balancer.endpoint("other"))).toBe("b");
      await balancer.remove("web");
      await expect(balancer.stats("web")).rejects.toMatchObject({ code: "NOT_FOUND" });
      await expect(balancer.endpoint("web")).rejects.toMatchObject({ code: "NOT_FOUND" });
      await expect(fetch(first)).rejects.toThrow("fetch failed");
      await balancer.remove("web");
      await balancer.sync({ ...nextState({ backends: [b.as()] }), stateVersion: 1 });
      expect(await whoAnswers(await balancer.endpoint("web"))).toBe("b");
    });

    it("refuses states that cannot be meant", async () => {
      const a = await backendNamed("a");
      const twice = nextState({ backends: [a.as(), a.as()] });
      await expect(balancer.sync(twice)).rejects.toMatchObject({ code: "INVALID_REQUEST" });
      const heavy = nextState({ backends: [a.as({ weight: 257 })] });
      await expect(balancer.sync(heavy)).rejects.toMatchObject({ code: "INVALID_REQUEST" });
      await expect(balancer.drain("web", "a", 10)).rejects.toMatchObject({ code: "NOT_FOUND" });
    });
  });
}
