import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { afterEach, expect, it } from "vitest";
import { HealthChecks } from "../../../providers/load-balancer/local/health-checks.ts";
import { LiveBackend } from "../../../providers/load-balancer/local/live-backend.ts";
import { until } from "./load.ts";

/** A host that takes connections; while it is frozen it says nothing. Counts the probes that reach it. */
class Host {
  frozen = true;
  probes = 0;
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer((socket) => {
    this.#sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("data", () => {
      this.probes += 1;
      if (!this.frozen) this.#answer(socket);
    });
  });

  async listen(): Promise<number> {
    await once(this.#server.listen(0, "127.0.0.1"), "listening");
    return (this.#server.address() as AddressInfo).port;
  }

  thaw(): void {
    this.frozen = false;
    for (const socket of this.#sockets) this.#answer(socket);
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #answer(socket: Socket): void {
    this.#sockets.delete(socket);
    socket.end("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
  }
}

const intervalMs = 100;
let close = async (): Promise<void> => undefined;
afterEach(() => close());

it("probes a host at its interval, however often it froze while its users' connections failed", async () => {
  const host = new Host();
  const port = await host.listen();
  const address = "127.0.0.1";
  const backend = new LiveBackend({ hostId: "a", address, port, weight: 1, epoch: 1, draining: false }, 0);
  const check = { path: "/health", intervalMs, unhealthyAfter: 1000, healthyAfter: 1 };
  const checks = new HealthChecks(check, { nowMs: () => 0, onTurn: () => undefined });
  close = async () => {
    await checks.close();
    await backend.pool.destroy();
    await host.close();
  };
  const probed = (more: number): Promise<void> => {
    const { probes } = host;
    return until(() => host.probes >= probes + more, `${more} probes`);
  };

  checks.watch(backend);
  for (let round = 0; round < 2; round += 1) {
    host.frozen = true;
    await probed(1);
    checks.connectionFailed(backend);
    expect(backend.ejected).toBe(true);
    await probed(2);
    host.thaw();
    await until(() => !backend.ejected, "a check to pass");
  }
  await probed(1);
  const startedMs = performance.now();
  await probed(6);
  expect(performance.now() - startedMs).toBeGreaterThan(5 * intervalMs);
});
