import type { ProcessSpec, ReadyLine } from "./launch.ts";
import { boundLog } from "./process-log.ts";
import { SupervisedProcess, type ProcessReport, type SupervisionHooks } from "./supervised-process.ts";

const logCheckMs = 60_000;

/**
 * A group of processes in stages: those of one stage start together, a stage starts when the one before it is ready,
 * and all end in reverse order.
 */
export class SupervisedGroup {
  readonly #stages: SupervisedProcess[][];
  readonly #hooks: SupervisionHooks;
  readonly #ownLog: string | undefined;
  readonly #readyLines = new Map<string, ReadyLine>();
  #logChecks: NodeJS.Timeout | null = null;

  /** `ownLog` is bounded together with the logs of the processes. */
  constructor(stages: ProcessSpec[][], hooks: SupervisionHooks, ownLog?: string) {
    this.#hooks = hooks;
    this.#ownLog = ownLog;
    this.#stages = stages.map((stage) => stage.map((spec) => new SupervisedProcess(spec, hooks)));
  }

  /** The processes that were started and not ended for good. */
  reports(): ProcessReport[] {
    return this.#all().flatMap((process) => process.report() ?? []);
  }

  /** What a process said when it became ready for the first time. */
  readyLine(name: string): ReadyLine | null {
    return this.#readyLines.get(name) ?? null;
  }

  /** Starts stage after stage. When one process fails, all are ended and its error is thrown. */
  async start(signal: AbortSignal): Promise<void> {
    try {
      for (const stage of this.#stages) await this.#startStage(stage, signal);
    } catch (error) {
      await this.stop();
      throw error;
    }
    this.#logChecks = setInterval(() => this.#boundLogs(), logCheckMs);
    this.#logChecks.unref();
  }

  /** Ends all in reverse order, each one asked first and forced after its grace time. */
  async stop(): Promise<void> {
    if (this.#logChecks !== null) clearInterval(this.#logChecks);
    for (const process of this.#all().reverse()) await process.stop();
  }

  /** Ends all at once; `stop` then settles quickly. */
  kill(): void {
    for (const process of this.#all()) process.kill();
  }

  async #startStage(stage: SupervisedProcess[], signal: AbortSignal): Promise<void> {
    await Promise.all(stage.map(async (process) => this.#startOne(process, signal)));
  }

  async #startOne(process: SupervisedProcess, signal: AbortSignal): Promise<void> {
    this.#readyLines.set(process.spec.name, await process.start(signal));
  }

  #boundLogs(): void {
    const logs = this.#all().map((process) => process.spec.logFile);
    for (const log of this.#ownLog === undefined ? logs : [...logs, this.#ownLog]) {
      try {
        boundLog(log);
      } catch (error) {
        this.#hooks.onEvent(`${log} could not be shortened: ${String(error)}`);
      }
    }
  }

  #all(): SupervisedProcess[] {
    return this.#stages.flat();
  }
}
