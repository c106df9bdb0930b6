import { Agent } from "undici";
import { limits } from "../../../domain/limits.ts";
import type { LiveBackend } from "./live-backend.ts";

export interface HealthCheck {
  path: string;
  intervalMs: number;
  unhealthyAfter: number;
  healthyAfter: number;
}

export interface HealthEvents {
  nowMs(): number;
  /** A backend became unhealthy, or may be used again. */
  onTurn(backend: LiveBackend): void;
}

const timeoutFloorMs = 1000;

/** The next probe of a backend, or the one under way. */
interface Turn {
  timer?: NodeJS.Timeout;
  passedOver: AbortController;
}

/** Probes every watched backend at its interval, over connections of its own. */
export class HealthChecks {
  readonly #agent = new Agent({ connections: 1, connectTimeout: limits.lbConnectTimeoutMs });
  readonly #turns = new Map<LiveBackend, Turn>();
  readonly #events: HealthEvents;
  #check: HealthCheck;

  constructor(check: HealthCheck, events: HealthEvents) {
    this.#check = check;
    this.#events = events;
  }

  /** Takes effect with each backend's next probe. */
  configure(check: HealthCheck): void {
    this.#check = check;
  }

  watch(backend: LiveBackend): void {
    this.#schedule(backend);
  }

  unwatch(backend: LiveBackend): void {
    this.#passOver(backend);
    this.#turns.delete(backend);
  }

  /** A user's connection to the backend failed: it is out of use until the next check passes, which comes soon. */
  connectionFailed(backend: LiveBackend): void {
    if (!this.#turns.has(backend) || !backend.eject()) return;
    this.#schedule(backend);
  }

  async close(): Promise<void> {
    for (const backend of this.#turns.keys()) this.unwatch(backend);
    await this.#agent.destroy();
  }

  #schedule(backend: LiveBackend): void {
    this.#passOver(backend);
    const { intervalMs } = this.#check;
    const inUse = backend.healthy && !backend.ejected;
    const delayMs = inUse ? intervalMs : Math.min(intervalMs, limits.lbUnhealthyProbeMs);
    const turn: Turn = { passedOver: new AbortController() };
    turn.timer = setTimeout(() => void this.#probe(backend, turn), delayMs);
    this.#turns.set(backend, turn);
  }

  /** What is due or under way counts no more: a backend has one turn at a time, or probes of a silent host multiply. */
  #passOver(backend: LiveBackend): void {
    const turn = this.#turns.get(backend);
    clearTimeout(turn?.timer);
    turn?.passedOver.abort();
  }

  async #probe(backend: LiveBackend, turn: Turn): Promise<void> {
    const passed = await this.#passes(backend, turn.passedOver.signal);
    if (this.#turns.get(backend) !== turn) return;
    const turned = passed ? backend.checkPassed(this.#check, this.#events.nowMs()) : backend.checkFailed(this.#check);
    this.#schedule(backend);
    if (turned) this.#events.onTurn(backend);
  }

  async #passes(backend: LiveBackend, passedOver: AbortSignal): Promise<boolean> {
    const { path, intervalMs } = this.#check;
    try {
      const { statusCode, body } = await this.#agent.request({
        origin: backend.origin,
        path,
        method: "GET",
        signal: AbortSignal.any([passedOver, AbortSignal.timeout(Math.max(intervalMs, timeoutFloorMs))]),
      });
      await body.dump();
      return statusCode < 400;
    } catch {
      return false;
    }
  }
}
