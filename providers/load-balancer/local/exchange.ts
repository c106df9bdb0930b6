import type { IncomingMessage, ServerResponse } from "node:http";
import { PassThrough, type Readable } from "node:stream";
import type { Dispatcher } from "undici";
import { requestHeaders, responseHeaders } from "./headers.ts";
import type { LiveBackend, OpenRequest } from "./live-backend.ts";
import type { WaitQueue } from "./wait-queue.ts";

export type Outcome = "answered" | "failed" | "abandoned";

/** What an exchange asks of its fleet. */
export interface ExchangeContext {
  readonly waiting: WaitQueue;
  /** The balancer is going away: users are told to close their connections. */
  readonly closing: boolean;
  choose(exclude: LiveBackend | null): LiveBackend | null;
  /** No connection to the backend could be made. */
  connectionFailed(backend: LiveBackend): void;
  settled(outcome: Outcome, latencyMs: number): void;
  nowMs(): number;
}

/** Two bad hosts at a time must not fail a request; more would be an outage that retries only make worse. */
const attemptsMax = 3;
const repeatable = new Set(["GET", "HEAD", "OPTIONS"]);

/** True when the request announces a body. */
export function hasBody(request: IncomingMessage): boolean {
  const length = request.headers["content-length"];
  return (length !== undefined && length !== "0") || request.headers["transfer-encoding"] !== undefined;
}

/** What a backend leaves unread is thrown away, so that the user's connection stays usable. */
function bodyOf(request: IncomingMessage): Readable {
  const body = request.pipe(new PassThrough());
  // After the pipe's own listeners, which pause the request.
  return body.on("error", () => body.destroy()).on("close", () => request.resume());
}

/** One user request on its way to a backend and back; another backend is tried when one never got it. */
export class Exchange implements Dispatcher.DispatchHandler, OpenRequest {
  readonly #context: ExchangeContext;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #startedMs = performance.now();
  readonly #body: Readable | null;
  #attempts = 0;
  #attemptStartedMs = 0;
  #backend: LiveBackend | null = null;
  #controller: Dispatcher.DispatchController | null = null;
  #statusCode = 0;
  #settled = false;

  constructor(context: ExchangeContext, request: IncomingMessage, response: ServerResponse) {
    this.#context = context;
    this.#request = request;
    this.#response = response;
    // The client library destroys the body it is given when an attempt fails; the user's connection must outlive that.
    this.#body = hasBody(request) ? bodyOf(request) : null;
    response.on("close", () => this.#abandon());
  }

  /** Sends the request to a backend, or lets it wait for one. */
  start(): void {
    this.#route(null);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#settled) controller.abort(new Error("the user closed the connection"));
  }

  onResponseStart(controller: Dispatcher.DispatchController, statusCode: number): void {
    if (statusCode < 200 || this.#settled) return;
    this.#statusCode = statusCode;
    const raw = Array.isArray(controller.rawHeaders) ? controller.rawHeaders : [];
    const headers = responseHeaders(raw, this.#backend?.hostId ?? "", this.#context.closing);
    this.#response.writeHead(statusCode, headers);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#settled || this.#response.write(chunk)) return;
    controller.pause();
    this.#response.once("drain", () => controller.resume());
  }

  onResponseEnd(): void {
    const latencyMs = performance.now() - this.#attemptStartedMs;
    this.#release()?.answered(this, { statusCode: this.#statusCode, latencyMs, atMs: this.#context.nowMs() });
    if (this.#settle("answered")) this.#response.end();
  }

  onResponseError(_: unknown, error: Error & { code?: string }): void {
    const sent = this.#controller !== null;
    const backend = this.#release();
    if (this.#settled) return backend?.abandoned(this);
    if (error.code === "UND_ERR_INVALID_ARG") {
      backend?.abandoned(this);
      return this.#refuse(400, "The request has a malformed header.");
    }
    backend?.failed(this);
    if (backend !== null && !sent) this.#context.connectionFailed(backend);
    if (this.#mayRepeat(sent, error.code)) return this.#route(backend);
    this.#failWith(error.code);
  }

  backendLost(): void {
    if (this.#mayRepeat(true, undefined)) this.#controller?.abort(new Error("the backend fails its health checks"));
  }

  #route(exclude: LiveBackend | null): void {
    const backend = this.#context.choose(exclude);
    if (backend !== null) return this.#send(backend);
    const queued = this.#context.waiting.enter(this, {
      wake: () => this.#route(null),
      expire: () => this.#refuse(503, "No backend is available."),
    });
    if (!queued) this.#refuse(503, "No backend is available, and too many requests wait for one.");
  }

  #send(backend: LiveBackend): void {
    this.#attempts += 1;
    this.#attemptStartedMs = performance.now();
    this.#backend = backend;
    this.#controller = null;
    backend.begin(this);
    const { method = "GET", url = "/", rawHeaders, headers, socket } = this.#request;
    const client = { address: socket.remoteAddress ?? "unknown", connection: headers.connection };
    backend.pool.dispatch({ method, path: url, headers: requestHeaders(rawHeaders, client), body: this.#body }, this);
  }

  /** Whether another backend may be tried: never after the response began or a byte of the body was taken. */
  #mayRepeat(sent: boolean, code: string | undefined): boolean {
    if (this.#attempts >= attemptsMax || this.#response.headersSent) return false;
    if (!sent) return true;
    const timedOut = code === "UND_ERR_HEADERS_TIMEOUT";
    return !timedOut && this.#body === null && repeatable.has(this.#request.method ?? "");
  }

  #failWith(code: string | undefined): void {
    if (code === "UND_ERR_HEADERS_TIMEOUT") return this.#refuse(504, "The backend did not answer in time.");
    if (!this.#response.headersSent) return this.#refuse(502, "The connection to the backend failed.");
    this.#settle("failed");
    this.#response.destroy();
  }

  #refuse(statusCode: number, message: string): void {
    if (!this.#settle("failed")) return;
    const headers: Record<string, string> = { "content-type": "text/plain; charset=utf-8" };
    if (statusCode === 503) headers["retry-after"] = "1";
    if (this.#body !== null) headers["connection"] = "close";
    this.#response.writeHead(statusCode, headers).end(`${message}\n`);
  }

  #abandon(): void {
    if (!this.#settle("abandoned")) return;
    this.#context.waiting.leave(this);
    this.#controller?.abort(new Error("the user closed the connection"));
  }

  #release(): LiveBackend | null {
    const backend = this.#backend;
    this.#backend = null;
    return backend;
  }

  #settle(outcome: Outcome): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    this.#context.settled(outcome, performance.now() - this.#startedMs);
    return true;
  }
}
