import { setTimeout as delay } from "node:timers/promises";
import { nextBackoffMs } from "./backoff.ts";
import {
  awaitReady,
  forceEnd,
  launch,
  stopLaunched,
  type LaunchedProcess,
  type ProcessSpec,
  type ReadyLine,
} from "./launch.ts";
import type { ProcessIdentity } from "./process-identity.ts";
import { boundLog } from "./process-log.ts";

/** What is known of one supervised process. */
export interface ProcessReport extends ProcessIdentity {
  name: string;
  ready: boolean;
  restarts: number;
}

export interface SupervisionHooks {
  /** Called after each change of a process, before anything else happens to it. */
  onChange(): void;
  /** A line for people about what happened. */
  onEvent(line: string): void;
  /** Monotonic milliseconds. */
  nowMs(): number;
}

/** One process that is started again whenever it ends without having been asked to. */
export class SupervisedProcess {
  readonly spec: ProcessSpec;
  readonly #hooks: SupervisionHooks;
  readonly #stopping = new AbortController();
  #launched: LaunchedProcess | null = null;
  #keeping: Promise<void> = Promise.resolve();
  #stopped: Promise<void> | null = null;
  #ready = false;
  #restarts = 0;

  constructor(spec: ProcessSpec, hooks: SupervisionHooks) {
    this.spec = spec;
    this.#hooks = hooks;
  }

  /** Starts it and waits until it is ready, then keeps it running. Throws as `awaitReady` does. */
  async start(signal: AbortSignal): Promise<ReadyLine> {
    const startedMs = this.#hooks.nowMs();
    try {
      const ready = await this.#startOnce(AbortSignal.any([signal, this.#stopping.signal]));
      this.#keeping = this.#keepRunning(startedMs);
      return ready;
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  report(): ProcessReport | null {
    if (this.#launched === null) return null;
    return { name: this.spec.name, ...this.#launched.identity, ready: this.#ready, restarts: this.#restarts };
  }

  /** Ends it in order and for good. */
  async stop(): Promise<void> {
    this.#stopped ??= this.#stopOnce();
    await this.#stopped;
  }

  /** Ends it at once and for good; `stop` still has to be awaited. */
  kill(): void {
    this.#stopping.abort();
    if (this.#launched !== null) forceEnd(this.spec, this.#launched);
  }

  async #stopOnce(): Promise<void> {
    await this.#prepareStop();
    this.#stopping.abort();
    if (this.#launched !== null) await stopLaunched(this.spec, this.#launched);
    await this.#keeping;
    this.#launched = null;
    this.#hooks.onChange();
  }

  async #prepareStop(): Promise<void> {
    if (this.spec.beforeStop === undefined || !this.#ready || this.#stopping.signal.aborted) return;
    try {
      await this.spec.beforeStop();
    } catch (error) {
      this.#hooks.onEvent(error instanceof Error ? error.message : String(error));
    }
  }

  async #startOnce(signal: AbortSignal): Promise<ReadyLine> {
    boundLog(this.spec.logFile);
    this.#launched = await launch(this.spec);
    this.#hooks.onChange();
    const ready = await awaitReady(this.spec, this.#launched, signal);
    this.#ready = true;
    this.#hooks.onChange();
    return ready;
  }

  async #keepRunning(startedMs: number): Promise<void> {
    let begunMs = startedMs;
    let waitMs: number | null = null;
    while (!this.#stopping.signal.aborted) {
      const how = await this.#launched?.exited;
      if (this.#stopping.signal.aborted) return;
      this.#ready = false;
      waitMs = nextBackoffMs(waitMs, this.#hooks.nowMs() - begunMs);
      this.#hooks.onEvent(`${this.spec.name} ${how}; it is started again in ${waitMs / 1000} s`);
      await this.#pause(waitMs);
      begunMs = this.#hooks.nowMs();
      await this.#restart(begunMs);
    }
  }

  async #restart(begunMs: number): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    this.#restarts += 1;
    try {
      await this.#startOnce(this.#stopping.signal);
      const seconds = ((this.#hooks.nowMs() - begunMs) / 1000).toFixed(1);
      this.#hooks.onEvent(`${this.spec.name} is ready again after ${seconds} s`);
    } catch (error) {
      if (this.#launched !== null) await stopLaunched(this.spec, this.#launched);
      if (!this.#stopping.signal.aborted) this.#hooks.onEvent(error instanceof Error ? error.message : String(error));
    }
  }

  async #pause(milliseconds: number): Promise<void> {
    try {
      await delay(milliseconds, undefined, { signal: this.#stopping.signal });
    } catch (error) {
      if (!this.#stopping.signal.aborted) throw error;
    }
  }
}
