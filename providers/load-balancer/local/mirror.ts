import type { IncomingMessage } from "node:http";
import { Pool, type Dispatcher } from "undici";
import { limits } from "../../../domain/limits.ts";
import { hasBody } from "./exchange.ts";
import { requestHeaders } from "./headers.ts";

export interface MirrorTarget {
  hostId: string;
  address: string;
  port: number;
  /** Part of GET and HEAD requests that is copied, 0..1. */
  share: number;
}

/** Copies a share of the requests to a target and throws the answers away; users never wait for it. */
export class Mirror {
  readonly target: MirrorTarget;
  readonly #pool: Pool;
  #owed = 0;
  #inFlight = 0;

  constructor(target: MirrorTarget) {
    this.target = target;
    this.#pool = new Pool(`http://${target.address}:${target.port}`, {
      connections: limits.lbMirrorInFlightMax,
      connectTimeout: limits.lbConnectTimeoutMs,
      headersTimeout: limits.lbResponseTimeoutMs,
      bodyTimeout: limits.lbResponseTimeoutMs,
    });
  }

  /** Copies the request when its turn has come; a slow target loses copies instead of piling them up. */
  offer(request: IncomingMessage): void {
    const { method = "", url = "/" } = request;
    if ((method !== "GET" && method !== "HEAD") || hasBody(request)) return;
    this.#owed += this.target.share;
    if (this.#owed < 1) return;
    this.#owed -= 1;
    if (this.#inFlight >= limits.lbMirrorInFlightMax) return;
    this.#inFlight += 1;
    const client = { address: request.socket.remoteAddress ?? "unknown", connection: request.headers.connection };
    const headers = [...requestHeaders(request.rawHeaders, client), "x-forewarm-mirror", "1"];
    this.#pool.dispatch({ method, path: url, headers }, this.#discard());
  }

  close(): Promise<void> {
    return this.#pool.destroy();
  }

  #discard(): Dispatcher.DispatchHandler {
    const done = (): void => {
      this.#inFlight -= 1;
    };
    return {
      onRequestStart() {},
      onResponseStart() {},
      onResponseData() {},
      onResponseEnd: done,
      onResponseError: done,
    };
  }
}
