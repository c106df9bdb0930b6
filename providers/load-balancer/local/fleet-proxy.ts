import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { limits } from "../../../domain/limits.ts";
import type { Backend, LoadBalancerState, LoadBalancerStats } from "../load-balancer.ts";
import { Exchange, type ExchangeContext, type Outcome } from "./exchange.ts";
import { HealthChecks } from "./health-checks.ts";
import { LatencyHistogram } from "./latency-histogram.ts";
import { createListener, listen, stopListening, type ListenAddress } from "./listener.ts";
import { LiveBackend } from "./live-backend.ts";
import { Mirror, type MirrorTarget } from "./mirror.ts";
import type { SavedFleet } from "./state-file.ts";
import { chooseBackend, type SelectionPolicy } from "./selection.ts";
import { WaitQueue } from "./wait-queue.ts";

export interface FleetProxyOptions {
  state: LoadBalancerState;
  nowMs: () => number;
  /** When each backend began, from before a restart. */
  activeSinceMs?: Record<string, number>;
  /** Where it listened before a restart. */
  boundBefore?: ListenAddress;
  onHealthTurn(backend: LiveBackend): void;
}

/** Kept-alive connections of a closing listener are looked for this often. */
const idleSweepMs = 20;

/** The traffic of one fleet: its listener, its backends and its counters. */
export class FleetProxy implements ExchangeContext {
  readonly waiting = new WaitQueue({ count: limits.lbWaitingMax, waitMs: limits.lbWaitMs });
  readonly nowMs: () => number;
  closing = false;
  #state: LoadBalancerState;
  #policy: SelectionPolicy;
  #backends: LiveBackend[] = [];
  readonly #leaving = new Set<LiveBackend>();
  readonly #health: HealthChecks;
  #mirror: Mirror | null = null;
  #server: Server | null = null;
  #bound: ListenAddress | null = null;
  readonly #boundBefore: ListenAddress | null;
  readonly #latency = new LatencyHistogram();
  readonly #startedAtMs: number;
  readonly #counts = { offered: 0, inFlight: 0, answered: 0, failed: 0, abandoned: 0 };

  constructor(options: FleetProxyOptions) {
    this.nowMs = options.nowMs;
    this.#startedAtMs = options.nowMs();
    this.#boundBefore = options.boundBefore ?? null;
    this.#state = options.state;
    this.#policy = policyOf(options.state);
    this.#health = new HealthChecks(options.state.healthCheck, {
      nowMs: options.nowMs,
      onTurn: (backend) => {
        if (backend.healthy) this.waiting.wakeAll();
        options.onHealthTurn(backend);
      },
    });
    this.apply(options.state, options.activeSinceMs ?? {});
  }

  get state(): LoadBalancerState {
    return this.#state;
  }

  get bound(): ListenAddress | null {
    return this.#bound;
  }

  /** What a restart needs, also where its address could not be bound again; null before the first listener. */
  saved(): SavedFleet | null {
    const bound = this.#bound ?? this.#boundBefore;
    if (bound === null) return null;
    const live = new Map(this.#backends.map((backend) => [backend.hostId, backend]));
    const backends = this.#state.backends.map((backend) => ({
      ...backend,
      draining: live.get(backend.hostId)?.draining ?? backend.draining,
    }));
    return {
      state: { ...this.#state, backends },
      bound,
      activeSinceMs: Object.fromEntries(this.#backends.map((backend) => [backend.hostId, backend.activeSinceMs])),
      mirror: this.#mirror?.target ?? null,
    };
  }

  /** Puts a state in force for every request from now on. */
  apply(state: LoadBalancerState, activeSinceMs: Record<string, number> = {}): void {
    const nowMs = this.nowMs();
    const kept = new Map(this.#backends.map((backend) => [backend.hostId, backend]));
    const next = state.backends.map((wanted) => {
      const current = kept.get(wanted.hostId);
      if (current === undefined || !sameEndpoint(current, wanted)) {
        return this.#add(wanted, activeSinceMs[wanted.hostId] ?? nowMs);
      }
      kept.delete(wanted.hostId);
      current.update(wanted, nowMs);
      return current;
    });
    this.#state = state;
    this.#policy = policyOf(state);
    this.#health.configure(state.healthCheck);
    this.#backends = next;
    for (const gone of kept.values()) this.#retire(gone);
    this.waiting.wakeAll();
  }

  /** Binds the wanted address; the old one is given up only when the new one is bound. */
  async listen(wanted: ListenAddress): Promise<void> {
    const server = createListener((request, response) => this.#handle(request, response));
    const bound = await listen(server, wanted);
    const previous = this.#server;
    this.#server = server;
    this.#bound = bound;
    if (previous !== null) void stopListening(previous);
  }

  /** Stops new requests to a host; true once it has none in flight, false at the deadline or when `signal` fires. */
  async drain(hostId: string, deadlineMs: number, signal: AbortSignal): Promise<boolean> {
    for (const backend of this.#backends) if (backend.hostId === hostId) backend.draining = true;
    const hosts = [...this.#backends, ...this.#leaving].filter((backend) => backend.hostId === hostId);
    const empty = await Promise.all(hosts.map((backend) => backend.idle(deadlineMs, signal)));
    return empty.every(Boolean);
  }

  setMirror(target: MirrorTarget | null): void {
    void this.#mirror?.close();
    this.#mirror = target === null ? null : new Mirror(target);
  }

  stats(): LoadBalancerStats {
    return {
      stateVersion: this.#state.stateVersion,
      atMs: this.nowMs(),
      startedAtMs: this.#startedAtMs,
      offeredRequests: this.#counts.offered,
      answeredRequests: this.#counts.answered,
      failedRequests: this.#counts.failed,
      inFlight: this.#counts.inFlight,
      latencyHistogram: this.#latency.cumulative(),
      backends: [...this.#backends, ...this.#leaving].map((backend) => backend.stats()),
    };
  }

  /** Takes no new connections, lets open requests end until `graceMs` passed, then frees everything. */
  async close(graceMs: number): Promise<void> {
    this.closing = true;
    const server = this.#server;
    if (server !== null) {
      const force = setTimeout(() => server.closeAllConnections(), graceMs);
      const sweep = setInterval(() => server.closeIdleConnections(), idleSweepMs);
      await stopListening(server);
      clearTimeout(force);
      clearInterval(sweep);
    }
    await Promise.all([
      this.#health.close(),
      this.#mirror?.close(),
      ...[...this.#backends, ...this.#leaving].map((backend) => backend.pool.destroy()),
    ]);
  }

  choose(exclude: LiveBackend | null): LiveBackend | null {
    return chooseBackend(this.#backends, this.#policy, { nowMs: this.nowMs(), exclude });
  }

  connectionFailed(backend: LiveBackend): void {
    this.#health.connectionFailed(backend);
  }

  settled(outcome: Outcome, latencyMs: number): void {
    this.#counts.inFlight -= 1;
    this.#counts[outcome] += 1;
    if (outcome === "answered") this.#latency.record(latencyMs);
  }

  #handle(request: IncomingMessage, response: ServerResponse): void {
    this.#counts.offered += 1;
    this.#counts.inFlight += 1;
    this.#mirror?.offer(request);
    new Exchange(this, request, response).start();
  }

  #add(backend: Backend, activeSinceMs: number): LiveBackend {
    const live = new LiveBackend(backend, activeSinceMs);
    this.#health.watch(live);
    return live;
  }

  #retire(backend: LiveBackend): void {
    backend.draining = true;
    this.#health.unwatch(backend);
    this.#leaving.add(backend);
    void backend.pool.close().then(() => this.#leaving.delete(backend));
  }
}

function policyOf(state: LoadBalancerState): SelectionPolicy {
  return { preferNewest: state.preferNewest, slowStartMs: state.slowStartSeconds * 1000 };
}

function sameEndpoint(left: Omit<Backend, "hostId">, right: Backend): boolean {
  return left.address === right.address && left.port === right.port;
}
