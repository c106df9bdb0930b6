import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startLoad, until } from "./load.ts";
import { startWebServer, type WebServer } from "./web-server.ts";

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

describe("example web server", () => {
  let folder: string;
  let server: WebServer | null = null;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "web-"));
  });

  afterEach(async () => {
    await server?.end("SIGKILL");
    server = null;
    await rm(folder, { recursive: true });
  });

  async function start(settings: Record<string, unknown>): Promise<WebServer> {
    server = await startWebServer(folder, { hostId: "web-1", port: await freePort(), settings });
    return server;
  }

  it("answers with its host, its configuration and its greeting", async () => {
    const { url } = await start({ version: "v7", greeting: "Good morning", service_ms: 1, body_bytes: 10 });
    expect(await (await fetch(`${url}/any`)).json()).toMatchObject({
      host: "web-1",
      version: "v7",
      message: "Good morning from web-1",
      filler: "xxxxxxxxxx",
    });
    const health = await fetch(`${url}/health`);
    expect([health.status, await health.json()]).toEqual([
      200,
      { status: "ok", version: "v7", busySlots: 0, waiting: 0 },
    ]);
  });

  it("names an unnamed configuration by its content", async () => {
    const { url } = await start({ service_ms: 1 });
    const { version } = (await (await fetch(`${url}/health`)).json()) as { version: string };
    expect(version).toMatch(/^[0-9a-f]{12}$/);
  });

  it("serves as many at a time as it has slots, lets a bounded number wait and refuses the rest", async () => {
    const { url } = await start({ slots: 2, queue: 1, service_ms: 300, cpu_ms: 0 });
    const startedMs = performance.now();
    const statuses = await Promise.all(Array.from({ length: 4 }, async () => (await fetch(url)).status));
    expect(statuses.toSorted((left, right) => left - right)).toEqual([200, 200, 200, 503]);
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(595);
  });

  it("answers its health while all slots are busy", async () => {
    const { url } = await start({ slots: 1, service_ms: 60_000 });
    const gaveUp = new AbortController();
    const busy = fetch(url, { signal: gaveUp.signal }).catch(() => null);
    const health = async (): Promise<{ busySlots: number }> => (await fetch(`${url}/health`)).json() as never;
    await until(async () => (await health()).busySlots === 1, "the slot to be taken");
    expect((await fetch(`${url}/health`)).status).toBe(200);
    gaveUp.abort();
    await busy;
  });

  it("puts a changed configuration in force at SIGHUP without dropping a request", async () => {
    const running = await start({ version: "v1", slots: 4, service_ms: 5 });
    const load = startLoad(running.url, { connections: 8 });
    await until(() => load.report.requests > 50, "load");
    await running.configure({ version: "v2", slots: 8, service_ms: 2, greeting: "Hi" });
    running.child.kill("SIGHUP");
    await until(() => running.log.includes("configuration v2 in force"), "the reload");
    const before = load.report.requests;
    await until(() => load.report.requests > before + 50, "load after the reload");
    const { failures, byBody } = await load.stop();
    expect(failures).toEqual([]);
    expect(Object.keys(byBody).some((body) => body.includes('"v2"') && body.includes("Hi from web-1"))).toBe(true);
  });

  it.each(["{ not json", JSON.stringify({ slots: 0 }), JSON.stringify({ service_ms: "long" })])(
    "keeps its configuration when the new one is %s",
    async (text) => {
      const running = await start({ version: "v1", service_ms: 1 });
      await writeFile(`${folder}/web.json`, text);
      running.child.kill("SIGHUP");
      await until(() => running.log.some((line) => line.startsWith("configuration v1 stays: ")), "the refusal");
      expect(await (await fetch(running.url)).json()).toMatchObject({ version: "v1" });
    },
  );

  it("finishes what it has and ends at SIGTERM", async () => {
    const running = await start({ service_ms: 200, slots: 1 });
    const open = fetch(running.url);
    await until(
      async () => ((await (await fetch(`${running.url}/health`)).json()) as { busySlots: number }).busySlots === 1,
      "a request",
    );
    const exit = running.end("SIGTERM");
    expect((await open).status).toBe(200);
    expect(await exit).toBe(0);
  });

  it("starts quickly and stays small", async () => {
    const running = await start({ service_ms: 1 });
    const load = startLoad(running.url, { connections: 4, count: 300 });
    await until(() => load.report.requests >= 300, "300 requests");
    await load.stop();
    const status = await readFile(`/proc/${running.child.pid}/status`, "utf8").catch(() => null);
    const residentKb = Number(/VmRSS:\s+(\d+)/.exec(status ?? "")?.[1] ?? 0);
    expect(residentKb).toBeLessThan(80 * 1024);
    expect(running.startedInMs).toBeLessThan(2000);
  });
});
