import { setTimeout as wait } from "node:timers/promises";
import { limits } from "../domain/limits.ts";
import type { JournalEntry } from "./journal.ts";
import { forgetPid, type Launch, launch, recordedPid } from "./launch.ts";
import { identifyProcess, isRunning, type ProcessIdentity, signalGroup } from "./process-identity.ts";

const pollMs = 500;
const stopPollMs = 20;
/** A process that ran this long before it ended does not count as failing in a row. */
const steadyMs = 60_000;

export interface ApplicationEvents {
  /** The journal must hold the new state before this resolves. */
  changed(): Promise<void>;
  exited(detail: Record<string, unknown>): Promise<void>;
  restarted(detail: Record<string, unknown>): Promise<void>;
  spawned(): void;
  /** Something went wrong outside any request, such as a full disk; it is tried again at the next turn. */
  failed(error: unknown): void;
}

type Known = Omit<JournalEntry, "application">;

/** Keeps one application running: restarts it with a growing delay until it is stopped. */
export class ManagedApplication {
  readonly #place: Launch;
  readonly #events: ApplicationEvents;
  readonly #now: () => number;
  #process: ProcessIdentity | null = null;
  #restarts = 0;
  #failuresInRow = 0;
  #startedAtMs = 0;
  #timer: NodeJS.Timeout | undefined;
  /** Rises with every start and stop, so that what belongs to an earlier process is passed over. */
  #turn = 0;
  /** Settles when no start is under way. */
  #starting: Promise<unknown> = Promise.resolve();

  constructor(place: Launch, deps: { events: ApplicationEvents; now: () => number }) {
    this.#place = place;
    this.#events = deps.events;
    this.#now = deps.now;
  }

  entry(): JournalEntry {
    const { pid = null, startTime = null } = this.#process ?? {};
    return { application: this.#place.application, pid, startTime, restarts: this.#restarts };
  }

  /** The process, if it runs. */
  identity(): ProcessIdentity | null {
    return this.#process !== null && isRunning(this.#process) ? this.#process : null;
  }

  async start(): Promise<void> {
    await this.#startIn(this.#nextTurn());
  }

  /** False when another start or a stop came in between; then nothing of this one is left. */
  #startIn(turn: number): Promise<boolean> {
    const started = this.#starting.then(() => this.#launch(turn));
    this.#starting = started.catch(() => undefined);
    return started;
  }

  async #launch(turn: number): Promise<boolean> {
    if (turn !== this.#turn) return false;
    await this.#hold(null);
    if (turn !== this.#turn) return false;
    const child = await launch(this.#place);
    if (turn !== this.#turn) {
      if (child.pid !== undefined) signalGroup(child.pid, "SIGKILL");
      return false;
    }
    this.#events.spawned();
    child.once("exit", (exitCode, signal) => this.#inBackground(this.#ended(turn, { exitCode, signal })));
    await this.#hold(child.pid === undefined ? null : identifyProcess(child.pid));
    return true;
  }

  /** Takes over the process that the journal knows, or starts a new one in its place. */
  async adopt(known: Known): Promise<void> {
    this.#restarts = known.restarts;
    const found = findProcess(this.#place, known);
    if (found !== null) return this.#watch(found);
    if (known.pid !== null) await this.#events.exited({ application: this.#name(), pid: known.pid });
    await this.#restart(this.#turn);
  }

  async stop(): Promise<void> {
    this.#nextTurn();
    await this.#starting;
    if (this.#process !== null) await endProcess(this.#process, this.#place.application.stopGraceMs);
    this.#process = null;
  }

  #inBackground(work: Promise<void>): void {
    work.catch((error: unknown) => this.#events.failed(error));
  }

  #name(): string {
    return this.#place.application.name;
  }

  #nextTurn(): number {
    clearInterval(this.#timer);
    this.#turn += 1;
    return this.#turn;
  }

  async #hold(held: ProcessIdentity | null): Promise<void> {
    this.#process = held;
    this.#startedAtMs = this.#now();
    // Before the journal says that there is no process, so that no later agent takes a recycled pid for it.
    if (held === null) forgetPid(this.#place.config.stateFolder, this.#name());
    await this.#events.changed();
  }

  async #watch(adopted: ProcessIdentity): Promise<void> {
    const turn = this.#nextTurn();
    this.#timer = setInterval(() => {
      if (!isRunning(adopted)) this.#inBackground(this.#ended(turn, { exitCode: null, signal: null }));
    }, pollMs);
    await this.#hold(adopted);
  }

  async #ended(turn: number, how: Record<string, unknown>): Promise<void> {
    if (turn !== this.#turn) return;
    clearInterval(this.#timer);
    const pid = this.#process?.pid ?? null;
    this.#failuresInRow = this.#now() - this.#startedAtMs > steadyMs ? 0 : this.#failuresInRow + 1;
    const delayMs = restartDelayMs(this.#failuresInRow);
    this.#timer = setTimeout(() => this.#inBackground(this.#restart(turn)), delayMs);
    await this.#hold(null);
    await this.#events.exited({ application: this.#name(), pid, ...how });
  }

  async #restart(turn: number): Promise<void> {
    if (turn !== this.#turn) return;
    this.#restarts += 1;
    const next = this.#nextTurn();
    try {
      if (!(await this.#startIn(next))) return;
      const pid = this.#process?.pid ?? null;
      await this.#events.restarted({ application: this.#name(), pid, restarts: this.#restarts });
    } catch (error) {
      // It runs, and only its record or the news of it failed: a second process would be one too many.
      if (next === this.#turn && this.identity() !== null) return this.#events.failed(error);
      await this.#ended(next, { exitCode: null, signal: null, reason: String(error) });
    }
  }
}

function restartDelayMs(failuresInRow: number): number {
  return Math.min(limits.agentRestartDelayMsMin * 2 ** Math.max(0, failuresInRow - 1), limits.agentRestartDelayMsMax);
}

/** The journal lacks the pid when the last agent died between starting the process and writing it down. */
function findProcess({ config, application }: Launch, { pid, startTime }: Known): ProcessIdentity | null {
  if (pid !== null) return isRunning({ pid, startTime }) ? { pid, startTime } : null;
  const recorded = recordedPid(config.stateFolder, application.name);
  return recorded === null ? null : identifyProcess(recorded);
}

/** Asks the process group to end, and kills what is left of it after the grace. */
async function endProcess(identity: ProcessIdentity, graceMs: number): Promise<void> {
  if (isRunning(identity)) signalGroup(identity.pid, "SIGTERM");
  const deadlineMs = performance.now() + graceMs;
  while (isRunning(identity) && performance.now() < deadlineMs) await wait(stopPollMs);
  signalGroup(identity.pid, "SIGKILL");
  while (isRunning(identity)) await wait(stopPollMs);
}
