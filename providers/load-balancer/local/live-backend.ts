import { Pool } from "undici";
import { limits } from "../../../domain/limits.ts";
import type { Backend, BackendStats } from "../load-balancer.ts";
import { LatencyHistogram } from "./latency-histogram.ts";
import type { Candidate } from "./selection.ts";

/** How many failed and good checks in a row turn a backend's health. */
export interface HealthThresholds {
  unhealthyAfter: number;
  healthyAfter: number;
}

/** A request that a backend has in hand. */
export interface OpenRequest {
  /** The backend is held for dead: try another one where that is allowed. */
  backendLost(): void;
}

/** One backend in use: its connections, counters and health. */
export class LiveBackend implements Candidate {
  readonly hostId: string;
  readonly address: string;
  readonly port: number;
  readonly origin: string;
  readonly pool: Pool;
  weight: number;
  epoch: number;
  draining: boolean;
  healthy = true;
  ejected = false;
  activeSinceMs: number;
  credit = 0;
  share = 0;
  #failuresInRow = 0;
  #passesInRow = 0;
  #requests = 0;
  #errors = 0;
  #lastResponseAtMs: number | null = null;
  #lastPassAtMs: number | null = null;
  readonly #latency = new LatencyHistogram();
  readonly #open = new Set<OpenRequest>();
  readonly #whenIdle = new Set<() => void>();

  constructor(backend: Backend, activeSinceMs: number) {
    this.hostId = backend.hostId;
    this.address = backend.address;
    this.port = backend.port;
    this.weight = backend.weight;
    this.epoch = backend.epoch;
    this.draining = backend.draining;
    this.activeSinceMs = activeSinceMs;
    this.origin = `http://${backend.address}:${backend.port}`;
    this.pool = new Pool(this.origin, {
      connections: limits.lbConnectionsPerBackendMax,
      pipelining: 1,
      connectTimeout: limits.lbConnectTimeoutMs,
      headersTimeout: limits.lbResponseTimeoutMs,
      bodyTimeout: limits.lbResponseTimeoutMs,
    });
  }

  /** Takes over weight, epoch and drain; a backend that begins to take requests starts slowly. */
  update(backend: Backend, nowMs: number): void {
    const tookRequests = this.weight > 0 && !this.draining;
    this.weight = backend.weight;
    this.epoch = backend.epoch;
    this.draining = backend.draining;
    if (!tookRequests) this.activeSinceMs = nowMs;
  }

  get inFlight(): number {
    return this.#open.size;
  }

  begin(request: OpenRequest): void {
    this.#open.add(request);
    this.#requests += 1;
  }

  /** Counts a whole response. */
  answered(request: OpenRequest, response: { statusCode: number; latencyMs: number; atMs: number }): void {
    this.#latency.record(response.latencyMs);
    this.#lastResponseAtMs = response.atMs;
    if (response.statusCode >= 500) this.#errors += 1;
    this.#end(request);
  }

  /** Counts a request whose connection or response failed. */
  failed(request: OpenRequest): void {
    this.#errors += 1;
    this.#end(request);
  }

  /** Counts a request that its user gave up. */
  abandoned(request: OpenRequest): void {
    this.#end(request);
  }

  /** A user's connection failed: nothing more is sent until a check passes. True when it was in use before. */
  eject(): boolean {
    if (this.ejected || !this.healthy) return false;
    this.ejected = true;
    return true;
  }

  /** A check failed; true when this made the backend unhealthy. */
  checkFailed(thresholds: HealthThresholds): boolean {
    this.#passesInRow = 0;
    this.#failuresInRow += 1;
    if (!this.healthy || this.#failuresInRow < thresholds.unhealthyAfter) return false;
    this.healthy = false;
    for (const request of this.#open) request.backendLost();
    return true;
  }

  /** A check passed; true when the backend may be used again. One that was unhealthy starts slowly. */
  checkPassed(thresholds: HealthThresholds, nowMs: number): boolean {
    this.#lastPassAtMs = nowMs;
    this.#failuresInRow = 0;
    this.#passesInRow += 1;
    const wasOut = this.ejected || !this.healthy;
    this.ejected = false;
    if (this.healthy) return wasOut;
    if (this.#passesInRow < thresholds.healthyAfter) return false;
    this.healthy = true;
    this.activeSinceMs = nowMs;
    return true;
  }

  /** Resolves true when nothing is in flight, false when `deadlineMs` passes or `signal` fires first. */
  idle(deadlineMs: number, signal?: AbortSignal): Promise<boolean> {
    if (this.inFlight === 0) return Promise.resolve(true);
    return new Promise((resolve) => {
      const finish = (empty: boolean): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", stop);
        this.#whenIdle.delete(done);
        resolve(empty);
      };
      const done = (): void => finish(true);
      const stop = (): void => finish(false);
      const timer = setTimeout(stop, deadlineMs);
      signal?.addEventListener("abort", stop, { once: true });
      this.#whenIdle.add(done);
    });
  }

  stats(): BackendStats {
    return {
      hostId: this.hostId,
      healthy: this.healthy,
      draining: this.draining,
      inFlight: this.inFlight,
      requests: this.#requests,
      errors: this.#errors,
      latencyHistogram: this.#latency.cumulative(),
      lastResponseAtMs: this.#lastResponseAtMs,
      activeSinceMs: this.activeSinceMs,
      lastPassAtMs: this.#lastPassAtMs,
    };
  }

  #end(request: OpenRequest): void {
    this.#open.delete(request);
    if (this.#open.size > 0) return;
    for (const wake of this.#whenIdle) wake();
  }
}
