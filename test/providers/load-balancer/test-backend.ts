import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Backend } from "../../../providers/load-balancer/load-balancer.ts";

/** A real backend in this process that answers with its own name. */
export interface TestBackend {
  hostId: string;
  port: number;
  /** Requests that arrived, health checks left out. */
  received: IncomingMessage[];
  /** Answers that are held back until `release`. */
  held: ServerResponse[];
  /** True holds every answer back. */
  hold: boolean;
  /** Milliseconds before an answer. */
  delayMs: number;
  /** Status of `/health`. */
  healthStatus: number;
  release(): void;
  close(): Promise<void>;
  /** How a fleet's state names it. */
  as(change?: Partial<Backend>): Backend;
}

/** Starts a backend; `respond` replaces its usual answer. */
export async function startBackend(hostId: string, respond?: RequestListener, port = 0): Promise<TestBackend> {
  const server = createServer((request, response) => {
    if (request.url === "/health") return void response.writeHead(backend.healthStatus).end();
    backend.received.push(request);
    if (respond !== undefined) return respond(request, response);
    request.resume();
    const answer = (): void => void response.writeHead(200, { "content-type": "text/plain" }).end(hostId);
    if (backend.hold) return void backend.held.push(response);
    if (backend.delayMs > 0) return void setTimeout(answer, backend.delayMs);
    answer();
  });
  const backend: TestBackend = {
    hostId,
    port: await listenOn(server, port),
    received: [],
    held: [],
    hold: false,
    delayMs: 0,
    healthStatus: 200,
    release() {
      backend.hold = false;
      for (const response of backend.held.splice(0)) response.writeHead(200).end(hostId);
    },
    close: () => closeServer(server),
    as: (change) => ({
      hostId,
      address: "127.0.0.1",
      port: backend.port,
      weight: 1,
      epoch: 1,
      draining: false,
      ...change,
    }),
  };
  return backend;
}

async function listenOn(server: Server, port: number): Promise<number> {
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

async function closeServer(server: Server): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeAllConnections();
  await closed;
}
