import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { ForewarmError } from "../../../domain/errors.ts";

/** Where a fleet's users connect. */
export interface ListenAddress {
  address: string;
  port: number;
}

/** Reads ADDRESS:PORT. Throws INVALID_REQUEST. */
export function parseListen(text: string): ListenAddress {
  const colon = text.lastIndexOf(":");
  const port = Number(text.slice(colon + 1));
  if (colon < 1 || !Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new ForewarmError("INVALID_REQUEST", `listen must be ADDRESS:PORT, not ${text}`);
  }
  return { address: text.slice(0, colon), port };
}

/** Makes the server of one fleet; protocol upgrades are answered 501. */
export function createListener(onRequest: RequestListener): Server {
  const server = createServer({ keepAliveTimeout: 65_000, requestTimeout: 0 }, onRequest);
  server.on("upgrade", (_, socket) => {
    socket.on("error", () => socket.destroy());
    socket.end("HTTP/1.1 501 Not Implemented\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
  });
  return server;
}

/** Listens and returns the address in use. Throws PORT_IN_USE, or INVALID_REQUEST when it cannot be bound. */
export function listen(server: Server, { address, port }: ListenAddress): Promise<ListenAddress> {
  return new Promise((resolve, reject) => {
    const fail = (cause: NodeJS.ErrnoException): void => {
      const code = cause.code === "EADDRINUSE" ? "PORT_IN_USE" : "INVALID_REQUEST";
      const reason = cause.code === "EADDRNOTAVAIL" ? "no interface of this machine has the address" : cause.message;
      reject(new ForewarmError(code, `cannot listen on ${address}:${port}: ${reason}`, { cause }));
    };
    server.once("error", fail);
    server.listen({ host: address, port, backlog: 1024 }, () => {
      server.off("error", fail);
      resolve({ address, port: boundPort(server.address()) });
    });
  });
}

/** Stops listening; open requests go on and idle connections are closed. Resolves once all are gone. */
export function stopListening(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}

function boundPort(address: AddressInfo | string | null): number {
  if (address === null || typeof address === "string") throw new ForewarmError("INVARIANT", "listener has no TCP port");
  return address.port;
}
