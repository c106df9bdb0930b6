import { once } from "node:events";
import { Agent, request as httpRequest, type IncomingMessage, type RequestListener } from "node:http";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../../domain/limits.ts";
import type { LoadBalancerState } from "../../../providers/load-balancer/load-balancer.ts";
import { FleetProxy } from "../../../providers/load-balancer/local/fleet-proxy.ts";
import { sendLoad, until } from "./load.ts";
import { startBackend, type TestBackend } from "./test-backend.ts";

describe("proxy of one fleet", { timeout: 20_000 }, () => {
  let nowMs = 0;
  let proxy: FleetProxy;
  let endpoint: string;
  let stateVersion = 0;
  const backends: TestBackend[] = [];

  beforeEach(async () => {
    nowMs = 1_000_000;
    proxy = new FleetProxy({ state: stateOf([]), nowMs: () => nowMs, onHealthTurn() {} });
    await proxy.listen({ address: "127.0.0.1", port: 0 });
    endpoint = `http://127.0.0.1:${proxy.bound!.port}`;
  });

  afterEach(async () => {
    await proxy.close(0);
    await Promise.all(backends.splice(0).map((backend) => backend.close()));
  });

  function stateOf(of: LoadBalancerState["backends"], change: Partial<LoadBalancerState> = {}): LoadBalancerState {
    stateVersion += 1;
    const healthCheck = { path: "/health", intervalMs: 60_000, unhealthyAfter: 3, healthyAfter: 1 };
    return {
      fleet: "web",
      stateVersion,
      backends: of,
      preferNewest: "off",
      slowStartSeconds: 0,
      healthCheck,
      ...change,
    };
  }

  async function backendNamed(hostId: string, respond?: RequestListener): Promise<TestBackend> {
    const backend = await startBackend(hostId, respond);
    backends.push(backend);
    return backend;
  }

  /** A backend that is gone: connections to it are refused. */
  async function goneBackend(hostId: string): Promise<LoadBalancerState["backends"][number]> {
    const backend = await startBackend(hostId);
    await backend.close();
    return backend.as();
  }

  it("raises a new backend's share from a tenth over the slow start", async () => {
    const [old, fresh] = [await backendNamed("old"), await backendNamed("fresh")];
    proxy.apply(stateOf([old.as()], { slowStartSeconds: 10 }));
    nowMs += 60_000;
    proxy.apply(stateOf([old.as(), fresh.as()], { slowStartSeconds: 10 }));
    const share = async (): Promise<number> =>
      ((await sendLoad(endpoint, { connections: 1, count: 110 })).byBody["fresh"] ?? 0) / 110;
    expect(await share()).toBeCloseTo(0.1 / 1.1, 1.5);
    nowMs += 5000;
    expect(await share()).toBeCloseTo(0.55 / 1.55, 1.5);
    nowMs += 5000;
    expect(await share()).toBeCloseTo(0.5, 1.5);
  });

  it("names the host that answered and tells the backend who asked, without headers of the connection", async () => {
    const a = await backendNamed("a", (_, response) => {
      response.writeHead(201, {
        connection: "x-private",
        "x-private": "1",
        "x-public": "2",
        "set-cookie": ["p=1", "q=2"],
      });
      response.end("done");
    });
    proxy.apply(stateOf([a.as()]));
    const headers = {
      "x-forwarded-for": "192.0.2.1",
      connection: "x-secret, keep-alive",
      "x-secret": "1",
      te: "trailers",
    };
    const sent = httpRequest(`${endpoint}/path?query=1`, { headers: { ...headers, host: "example.test" } });
    const [answer] = (await once(sent.end(), "response")) as [IncomingMessage];
    expect(await text(answer)).toBe("done");
    expect(answer.statusCode).toBe(201);
    expect(answer.headers).toMatchObject({ "x-forewarm-host": "a", "x-public": "2", "set-cookie": ["p=1", "q=2"] });
    expect(answer.headers).not.toHaveProperty("x-private");
    const received = a.received[0]!;
    expect(received.url).toBe("/path?query=1");
    expect(received.headers).toMatchObject({ host: "example.test", "x-forwarded-for": "192.0.2.1, 127.0.0.1" });
    expect(received.headers).not.toHaveProperty("x-secret");
    expect(received.headers).not.toHaveProperty("te");
  });

  it("streams bodies both ways", async () => {
    const a = await backendNamed("a", (request, response) => void request.pipe(response));
    proxy.apply(stateOf([a.as()]));
    const sent = httpRequest(endpoint, { method: "POST" });
    sent.write("first ");
    const [answer] = (await once(sent, "response")) as [IncomingMessage];
    const [chunk] = await once(answer, "data");
    expect(String(chunk)).toBe("first ");
    const rest = text(answer);
    const large = "x".repeat(5_000_000);
    sent.end(large);
    expect((await rest).length).toBe(large.length);
  });

  it("gives up the backend's request when the user hangs up", async () => {
    const a = await backendNamed("a");
    a.hold = true;
    proxy.apply(stateOf([a.as()]));
    const user = new AbortController();
    const asked = fetch(endpoint, { signal: user.signal }).catch(() => "gone");
    await until(() => a.held.length === 1, "the request");
    const closed = once(a.held[0]!, "close");
    user.abort();
    await Promise.all([asked, closed]);
    await until(() => proxy.stats().backends[0]!.inFlight === 0, "the request to end");
    expect(proxy.stats()).toMatchObject({ offeredRequests: 1, answeredRequests: 0, failedRequests: 0, inFlight: 0 });
    expect(proxy.stats().backends[0]!.errors).toBe(0);
  });

  it("refuses protocol upgrades with 501", async () => {
    const socket = connect(proxy.bound!.port, "127.0.0.1");
    socket.write("GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n");
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 501 /);
  });

  it("repeats any request on another backend while nothing of it was sent", async () => {
    const a = await backendNamed("a", (request, response) => void request.pipe(response));
    const gone = await goneBackend("gone");
    proxy.apply(stateOf([{ ...gone, weight: 256 }, a.as()]));
    const answer = await fetch(endpoint, { method: "POST", body: "only once" });
    expect([answer.status, await answer.text()]).toEqual([200, "only once"]);
    expect(proxy.stats()).toMatchObject({ offeredRequests: 1, answeredRequests: 1, failedRequests: 0 });
    const goneStats = proxy.stats().backends[0]!;
    expect(goneStats).toMatchObject({ hostId: "gone", requests: 1, errors: 1, healthy: true });
    await sendLoad(endpoint, { connections: 1, count: 10 });
    expect(proxy.stats().backends[0]!.requests).toBe(1);
  });

  it("repeats a GET whose connection broke, and never a POST", async () => {
    const breaks = await backendNamed("breaks", (request) => void request.socket.destroy());
    const a = await backendNamed("a");
    proxy.apply(stateOf([breaks.as({ weight: 256 }), a.as()]));
    expect(await (await fetch(endpoint)).text()).toBe("a");
    expect((await fetch(endpoint, { method: "POST", body: "x" })).status).toBe(502);
    expect(a.received).toHaveLength(1);
    expect(proxy.stats()).toMatchObject({ offeredRequests: 2, answeredRequests: 1, failedRequests: 1 });
  });

  it("breaks off a response that the backend broke off, and counts it failed", async () => {
    const a = await backendNamed("a", (_, response) => {
      response.writeHead(200, { "content-length": "100" });
      response.write("part", () => response.destroy());
    });
    proxy.apply(stateOf([a.as()]));
    await expect(fetch(endpoint).then((answer) => answer.text())).rejects.toThrow("terminated");
    expect(proxy.stats()).toMatchObject({ answeredRequests: 0, failedRequests: 1 });
  });

  it("counts answers of status 500 as the backend's errors, and hands them on", async () => {
    const a = await backendNamed("a", (_, response) => void response.writeHead(500).end("broken"));
    proxy.apply(stateOf([a.as()]));
    expect(await (await fetch(endpoint)).text()).toBe("broken");
    expect(proxy.stats()).toMatchObject({ answeredRequests: 1, failedRequests: 0 });
    expect(proxy.stats().backends[0]).toMatchObject({ requests: 1, errors: 1 });
  });

  it("lets requests wait a moment for the first backend, in bounded number", async () => {
    const a = await backendNamed("a");
    const waiting = fetch(endpoint);
    await until(() => proxy.stats().inFlight === 1, "the request to wait");
    proxy.apply(stateOf([a.as()]));
    expect(await (await waiting).text()).toBe("a");
    proxy.apply(stateOf([]));
    for (let filler = 0; filler < limits.lbWaitingMax; filler += 1) {
      proxy.waiting.enter({}, { wake() {}, expire() {} });
    }
    const refused = await fetch(endpoint);
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "1"]);
    proxy.waiting.wakeAll();
  });

  it("never lets the mirror hurt users, even when it is dead or slow", async () => {
    const [a, slow] = [await backendNamed("a"), await backendNamed("slow")];
    slow.hold = true;
    proxy.apply(stateOf([a.as()]));
    const { port } = await goneBackend("gone");
    proxy.setMirror({ hostId: "gone", address: "127.0.0.1", port, share: 1 });
    expect((await sendLoad(endpoint, { connections: 4, count: 50 })).failures).toEqual([]);
    proxy.setMirror({ hostId: "slow", address: "127.0.0.1", port: slow.port, share: 1 });
    const count = limits.lbMirrorInFlightMax + 50;
    expect((await sendLoad(endpoint, { connections: 4, count })).byBody).toEqual({ a: count });
    await until(() => slow.received.length === limits.lbMirrorInFlightMax, "the copies");
    slow.release();
    await until(() => slow.held.length === 0, "the copies to be answered");
    await fetch(`${endpoint}/last`);
    await until(() => slow.received.some(({ url }) => url === "/last"), "the last copy");
    expect(slow.received).toHaveLength(limits.lbMirrorInFlightMax + 1);
    expect(proxy.stats()).toMatchObject({ offeredRequests: count + 51, failedRequests: 0 });
  });

  it("answers while a body is still coming, and does not leave the user's connection stuck", async () => {
    const a = await backendNamed("a", (_, response) => void response.writeHead(413).end("too large"));
    proxy.apply(stateOf([a.as()]));
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (let round = 0; round < 2; round += 1) {
      const sent = httpRequest(endpoint, { method: "POST", agent });
      sent.end("x".repeat(8_000_000));
      const [answer] = (await once(sent, "response")) as [IncomingMessage];
      expect([answer.statusCode, await text(answer)]).toEqual([413, "too large"]);
    }
    agent.destroy();
  });
});
