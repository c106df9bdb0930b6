import { rmSync } from "node:fs";
import type { Server } from "node:http";
import { connect } from "node:net";
import { pino } from "pino";
import { ForewarmError } from "../../../domain/errors.ts";
import { createAdminServer } from "./admin-server.ts";
import { Balancer } from "./balancer.ts";
import { readLoadBalancerConfig } from "./config.ts";

/** Starts the local load balancer; it says `{"ready":true,…}` on standard output once all fleets are back. */
async function main(): Promise<void> {
  const { socketPath, stateFile, logLevel } = readLoadBalancerConfig();
  const logger = pino({ name: "load-balancer", level: logLevel }, pino.destination({ fd: 2, sync: true }));
  const balancer = new Balancer({ stateFile, logger, nowMs: Date.now });
  const admin = createAdminServer(balancer);
  await takeSocket(socketPath);
  await balancer.restore();
  await listenOn(admin, socketPath);
  const stop = stopOnce(async () => {
    const adminClosed = new Promise((resolve) => admin.close(resolve));
    await balancer.close();
    admin.closeAllConnections();
    await adminClosed;
  });
  process.on("SIGTERM", stop).on("SIGINT", stop);
  const ready = { ready: true, pid: process.pid, socketPath, endpoints: balancer.endpoints() };
  process.stdout.write(`${JSON.stringify(ready)}\n`);
}

/** Removes the socket of an earlier process that was killed. Throws HOME_IN_USE when one still answers there. */
async function takeSocket(socketPath: string): Promise<void> {
  const answered = await new Promise<boolean>((resolve) => {
    const probe = connect(socketPath, () => {
      probe.destroy();
      resolve(true);
    });
    probe.on("error", () => resolve(false));
  });
  if (answered) throw new ForewarmError("HOME_IN_USE", `another load balancer serves ${socketPath}`);
  rmSync(socketPath, { force: true });
}

function listenOn(admin: Server, socketPath: string): Promise<void> {
  // Whoever can open the socket steers the traffic.
  process.umask(0o077);
  return new Promise((resolve, reject) => {
    admin.once("error", reject);
    admin.listen(socketPath, resolve);
  });
}

function stopOnce(stop: () => Promise<void>): () => void {
  let stopping = false;
  return () => {
    if (stopping) return;
    stopping = true;
    void stop().then(() => process.exit(0), fail);
  };
}

function fail(error: unknown): void {
  const message = error instanceof ForewarmError ? `${error.message}\n${error.cure}` : String(error);
  process.stderr.write(`${message}\n`);
  process.exit(1);
}

main().catch(fail);
