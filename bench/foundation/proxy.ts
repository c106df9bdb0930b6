import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { createLocalLoadBalancer } from "../../providers/load-balancer/local/local-load-balancer.ts";
import type { LoadBalancer } from "../../providers/load-balancer/load-balancer.ts";
import { type BenchContext, quantile } from "../harness.ts";
import { drive, type LoadResult } from "./closed-loop.ts";
import { begin, type Part, rowOf, scaled } from "./part.ts";
import { builtProgram, plainEnvironment } from "./program.ts";

const fleet = "proxy";
const backendCount = 4;
const connections = 32;
const perSecondMin = 5000;
const rounds = 3;

interface Target {
  name: "direct" | "proxied";
  url: string;
}

async function startBackend(): Promise<Server> {
  const server = createServer((_request, response) => {
    response.writeHead(200, { "content-type": "text/plain", "content-length": 2 }).end("ok");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

async function startBalancer(folder: string, socketPath: string): Promise<ChildProcess> {
  const variables = { FOREWARM_LB_SOCKET: socketPath, FOREWARM_LB_STATE: join(folder, "state.json") };
  const child = spawn(process.execPath, [builtProgram("providers/load-balancer/local/main.js")], {
    env: plainEnvironment({ ...variables, FOREWARM_LOG_LEVEL: "warn" }),
    stdio: ["ignore", "pipe", "inherit"],
  });
  for await (const line of createInterface({ input: child.stdout })) if (line.includes('"ready":true')) return child;
  throw new Error("the load balancer ended before it was ready");
}

async function serveThrough(balancer: LoadBalancer, backends: readonly Server[]): Promise<string> {
  await balancer.sync({
    fleet,
    stateVersion: 1,
    backends: backends.map((server, index) => ({
      hostId: `backend-${index}`,
      address: "127.0.0.1",
      port: portOf(server),
      weight: 100,
      epoch: 1,
      draining: false,
    })),
    preferNewest: "weighted",
    slowStartSeconds: 0,
    healthCheck: { path: "/", intervalMs: 2000, unhealthyAfter: 3, healthyAfter: 1 },
  });
  return balancer.endpoint(fleet);
}

async function driveInTurn(context: BenchContext, targets: readonly Target[]): Promise<Map<string, LoadResult[]>> {
  const results = new Map<string, LoadResult[]>(targets.map(({ name }) => [name, []]));
  const seconds = scaled(5, context.scale, 2);
  for (const { url } of targets) await drive({ url, connections, seconds: 1 });
  for (let round = 0; round < rounds; round += 1) {
    for (const { name, url } of targets) {
      const result = await drive({ url, connections, seconds });
      context.event({ kind: "proxy-load", target: name, connections, ...result });
      results.get(name)?.push(result);
    }
  }
  return results;
}

function partOf(results: Map<string, LoadResult[]>): Part {
  const rates = (name: Target["name"]): number[] =>
    (results.get(name) ?? []).map(({ requests, seconds }) => requests / seconds);
  const failed = [...results.values()].flat().reduce((sum, { errors }) => sum + errors, 0);
  const proxied = quantile(rates("proxied"), 0.5);
  const ratio = proxied / quantile(rates("direct"), 0.5);
  return {
    claims: [
      { name: "proxied requests p50", value: proxied, unit: "1/s", target: { op: ">=", value: perSecondMin } },
      { name: "proxy load errors", value: failed, unit: "requests", target: { op: "<=", value: 0 } },
    ],
    table: [
      rowOf(`proxied, ${connections} connections`, rates("proxied"), "1/s"),
      rowOf(`direct, ${connections} connections`, rates("direct"), "1/s"),
      rowOf("proxied to direct", [ratio], "ratio"),
    ],
  };
}

/** Requests per second through the balancer's process, side by side with the same backends asked directly. */
export async function measureProxy(context: BenchContext): Promise<Part> {
  begin(context, `proxy at ${connections} connections`);
  const folder = mkdtempSync(join(tmpdir(), "forewarm-bench-"));
  const socketPath = join(folder, "lb.sock");
  const backends: Server[] = [];
  const balancer = createLocalLoadBalancer({ socketPath });
  let child: ChildProcess | null = null;
  const endAtOnce = (): void => void child?.kill("SIGKILL");
  process.once("exit", endAtOnce);
  try {
    for (let count = 0; count < backendCount; count += 1) backends.push(await startBackend());
    child = await startBalancer(folder, socketPath);
    const [first] = backends;
    if (first === undefined) throw new Error("no backend runs");
    const proxied: Target = { name: "proxied", url: await serveThrough(balancer, backends) };
    return partOf(await driveInTurn(context, [{ name: "direct", url: `http://127.0.0.1:${portOf(first)}` }, proxied]));
  } finally {
    await balancer.close();
    for (const server of backends) server.closeAllConnections();
    for (const server of backends) server.close();
    if (child !== null && child.exitCode === null && existsSync(`/proc/${child.pid}`)) {
      child.kill("SIGTERM");
      await once(child, "exit");
    }
    process.off("exit", endAtOnce);
    rmSync(folder, { recursive: true, force: true });
  }
}
