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

/** Probes every watched backend at its interval, over connections of its own. */
export class HealthChecks {
  readonly #agent = new Agent({ connections: 1, connectTimeout: limits.lbConnectTimeoutMs });
  readonly #timers = new Map<LiveBackend, NodeJS.Timeout>();
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
    clearTimeout(this.#timers.get(backend));
    this.#timers.delete(backend);
  }

  /** A user's connection to the backend failed: it is out of use until the next check passes, which comes soon. */
  connectionFailed(backend: LiveBackend): void {
    if (!this.#timers.has(backend) || !backend.eject()) return;
    clearTimeout(this.#timers.get(backend));
    this.#schedule(backend);
  }

  async close(): Promise<void> {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    await this.#agent.destroy();
  }

  #schedule(backend: LiveBackend): void {
    const { intervalMs } = this.#check;
    const inUse = backend.healthy && !backend.ejected;
    const delayMs = inUse ? intervalMs : Math.min(intervalMs, limits.lbUnhealthyProbeMs);
    this.#timers.set(
      backend,
      setTimeout(() => void this.#probe(backend), delayMs),
    );
  }

  async #probe(backend: LiveBackend): Promise<void> {
    const passed = await this.#passes(backend);
    if (!this.#timers.has(backend)) return;
    const turned = passed ? backend.checkPassed(this.#check, this.#events.nowMs()) : backend.checkFailed(this.#check);
    this.#schedule(backend);
    if (turned) this.#events.onTurn(backend);
  }

  async #passes(backend: LiveBackend): Promise<boolean> {
    const { path, intervalMs } = this.#check;
    try {
      const { statusCode, body } = await this.#agent.request({
        origin: backend.origin,
        path,
        method: "GET",
        signal: AbortSignal.timeout(Math.max(intervalMs, timeoutFloorMs)),
      });
      await body.dump();
      return statusCode < 400;
    } catch {
      return false;
    }
  }
}
