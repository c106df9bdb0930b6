import { once } from "node:events";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { LoadBalancer, LoadBalancerState } from "../../../providers/load-balancer/load-balancer.ts";
import { createLocalLoadBalancer } from "../../../providers/load-balancer/local/local-load-balancer.ts";
import { startBalancerProcess, type BalancerProcess } from "./balancer-process.ts";
import { sendLoad, startLoad, until } from "./load.ts";
import { startBackend, type TestBackend } from "./test-backend.ts";
import { startWebServer, type WebServer } from "./web-server.ts";

describe("local load balancer process", () => {
  let folder: string;
  let running: BalancerProcess;
  let balancer: LoadBalancer;
  const backends: TestBackend[] = [];
  const webServers: WebServer[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "lb-"));
    running = await startBalancerProcess(folder);
    balancer = createLocalLoadBalancer({ socketPath: `${folder}/lb.sock` });
  });

  afterEach(async () => {
    await balancer.close();
    await running.kill();
    await Promise.all(webServers.splice(0).map((server) => server.end("SIGKILL")));
    await Promise.all(backends.splice(0).map((backend) => backend.close()));
    await rm(folder, { recursive: true });
  });

  async function backendNamed(hostId: string): Promise<TestBackend> {
    const backend = await startBackend(hostId);
    backends.push(backend);
    return backend;
  }

  async function webServerNamed(hostId: string): Promise<WebServer> {
    const placeholder = await startBackend(hostId);
    const { port } = placeholder;
    await placeholder.close();
    const home = await mkdtemp(join(folder, `${hostId}-`));
    const server = await startWebServer(home, { hostId, port, settings: { version: "v1", service_ms: 5 } });
    webServers.push(server);
    return server;
  }

  function state(stateVersion: number, change: Partial<LoadBalancerState>): LoadBalancerState {
    return {
      fleet: "web",
      stateVersion,
      backends: [],
      preferNewest: "off",
      slowStartSeconds: 0,
      healthCheck: { path: "/health", intervalMs: 100, unhealthyAfter: 2, healthyAfter: 1 },
      ...change,
    };
  }

  it("comes back after kill -9 under the same address, with the same backends and version", async () => {
    const [a, b] = [await backendNamed("a"), await backendNamed("b")];
    await balancer.sync(state(7, { backends: [a.as({ weight: 2 }), b.as()] }));
    await balancer.sync(state(1, { fleet: "other", backends: [b.as()] }));
    await balancer.drain("web", "b", 1000);
    const endpoints = { web: await balancer.endpoint("web"), other: await balancer.endpoint("other") };

    await running.kill();
    await expect(balancer.stats("web")).rejects.toMatchObject({ code: "LOAD_BALANCER_UNREACHABLE", retryable: true });
    running = await startBalancerProcess(folder);

    expect(running.ready.endpoints).toEqual(endpoints);
    expect(await balancer.endpoint("web")).toBe(endpoints.web);
    expect((await sendLoad(endpoints.web, { connections: 2, count: 20 })).byBody).toEqual({ a: 20 });
    expect((await balancer.stats("web")).stateVersion).toBe(7);
    await expect(balancer.sync(state(6, {}))).rejects.toMatchObject({ code: "STALE_STATE_VERSION" });
  });

  it("keeps a mirror over kill -9 and forgets removed fleets", async () => {
    const [a, shadow] = [await backendNamed("a"), await backendNamed("shadow")];
    await balancer.sync(state(1, { backends: [a.as()] }));
    await balancer.sync(state(1, { fleet: "gone" }));
    await balancer.mirror("web", { hostId: "shadow", address: "127.0.0.1", port: shadow.port, share: 1 });
    await balancer.remove("gone");
    await running.kill();
    running = await startBalancerProcess(folder);
    await fetch(await balancer.endpoint("web"));
    await until(() => shadow.received.length === 1, "the copy");
    expect(shadow.received[0]!.headers["x-forewarm-mirror"]).toBe("1");
    expect(Object.keys(running.ready.endpoints)).toEqual(["web"]);
  });

  it("ends at SIGTERM after the open requests, and frees its socket", async () => {
    const a = await backendNamed("a");
    a.hold = true;
    await balancer.sync(state(1, { backends: [a.as()] }));
    const open = fetch(await balancer.endpoint("web"));
    await until(() => a.held.length === 1, "the request");
    const ended = running.terminate();
    await until(async () => (await balancer.stats("web").catch(() => null)) === null, "the admin socket to close");
    a.release();
    const answer = await open;
    expect([answer.status, answer.headers.get("connection")]).toEqual([200, "close"]);
    expect(await ended).toBe(0);
    await expect(readFile(`${folder}/lb.sock`)).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("refuses to start beside a running one, or on a state file that is not its own", async () => {
    await expect(startBalancerProcess(folder)).rejects.toThrow(`another load balancer serves ${folder}/lb.sock`);
    await running.kill();
    await writeFile(`${folder}/lb.json`, "{}");
    await expect(startBalancerProcess(folder)).rejects.toThrow("holds no load balancer state");
  });

  it("fails no GET when a backend process is killed or frozen", async () => {
    const [killed, frozen, stays] = [
      await webServerNamed("killed"),
      await webServerNamed("frozen"),
      await webServerNamed("stays"),
    ];
    await balancer.sync(state(1, { backends: [killed.as(), frozen.as(), stays.as()] }));
    const load = startLoad(await balancer.endpoint("web"), { connections: 12 });
    const answersOf = (host: string): number =>
      Object.entries(load.report.byBody).reduce(
        (sum, [body, count]) => sum + (body.includes(`"${host}"`) ? count : 0),
        0,
      );
    await until(() => Math.min(answersOf("killed"), answersOf("frozen")) > 10, "traffic on all");
    await killed.end("SIGKILL");
    frozen.child.kill("SIGSTOP");
    const unhealthy = async (): Promise<string[]> =>
      (await balancer.stats("web")).backends.filter((backend) => !backend.healthy).map(({ hostId }) => hostId);
    await until(async () => (await unhealthy()).length === 2, "both to be found unhealthy");
    const before = answersOf("stays");
    await until(() => answersOf("stays") > before + 50, "traffic to go on");
    expect((await load.stop()).failures).toEqual([]);
    expect((await balancer.stats("web")).failedRequests).toBe(0);
  });

  it("binds the wanted address, moves when it changes and says when it is taken", async () => {
    const a = await backendNamed("a");
    const blocker = createServer().listen(0, "127.0.0.1");
    await once(blocker, "listening");
    const taken = `127.0.0.1:${(blocker.address() as AddressInfo).port}`;
    await expect(balancer.sync(state(1, { listen: taken }))).rejects.toMatchObject({ code: "PORT_IN_USE" });
    await expect(balancer.endpoint("web")).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(balancer.sync(state(1, { listen: "nowhere" }))).rejects.toMatchObject({ code: "INVALID_REQUEST" });
    await balancer.sync(state(1, { backends: [a.as()] }));
    const first = await balancer.endpoint("web");
    await expect(balancer.sync(state(2, { listen: taken }))).rejects.toMatchObject({ code: "PORT_IN_USE" });
    expect(await (await fetch(first)).text()).toBe("a");
    await new Promise((resolve) => blocker.close(resolve));
    await balancer.sync(state(2, { backends: [a.as()], listen: taken }));
    expect(await balancer.endpoint("web")).toBe(`http://${taken}`);
    expect(await (await fetch(`http://${taken}`)).text()).toBe("a");
    await expect(fetch(first)).rejects.toThrow("fetch failed");
  });

  it("stops waiting for a drain when its caller gives up", async () => {
    const a = await backendNamed("a");
    a.hold = true;
    await balancer.sync(state(1, { backends: [a.as()] }));
    const open = fetch(await balancer.endpoint("web"));
    await until(() => a.held.length === 1, "the request");
    const gaveUp = new AbortController();
    const drained = balancer.drain("web", "a", 60_000, gaveUp.signal);
    await until(async () => (await balancer.stats("web")).backends[0]!.draining, "the drain to begin");
    gaveUp.abort();
    await expect(drained).rejects.toMatchObject({ code: "CANCELLED" });
    a.release();
    expect((await open).status).toBe(200);
  });

  it("is synced and asked while a whole fleet drains", async () => {
    const a = await backendNamed("a");
    a.hold = true;
    await balancer.sync(state(1, { backends: [a.as()] }));
    const open = fetch(await balancer.endpoint("web"));
    await until(() => a.held.length === 1, "the request");
    const drains = Promise.all(Array.from({ length: 100 }, () => balancer.drain("web", "a", 60_000)));
    await balancer.sync(state(1, { fleet: "other" }), AbortSignal.timeout(5000));
    expect(await balancer.stats("other")).toMatchObject({ stateVersion: 1 });
    a.release();
    await open;
    expect(await drains).toEqual(Array.from({ length: 100 }, () => true));
  });

  it("is readable by its owner only", async () => {
    await balancer.sync(state(1, {}));
    expect((await stat(`${folder}/lb.sock`)).mode & 0o077).toBe(0);
    expect((await stat(`${folder}/lb.json`)).mode & 0o077).toBe(0);
  });
});
