import type { Logger } from "pino";
import { ForewarmError, isForewarmError } from "../../../domain/errors.ts";
import { limits } from "../../../domain/limits.ts";
import type { LoadBalancerState, LoadBalancerStats } from "../load-balancer.ts";
import { FleetProxy, type FleetProxyOptions } from "./fleet-proxy.ts";
import { parseListen, type ListenAddress } from "./listener.ts";
import type { MirrorTarget } from "./mirror.ts";
import { readStateFile, writeStateFile, type SavedFleet } from "./state-file.ts";

export interface BalancerOptions {
  stateFile: string;
  logger: Logger;
  nowMs: () => number;
}

const defaultListen = "127.0.0.1:0";
const rebindPauseMs = 100;

/** All fleets of the process. Changes run one after another and are on disk before they are acknowledged. */
export class Balancer {
  readonly #options: BalancerOptions;
  readonly #fleets = new Map<string, FleetProxy>();
  #saveOwed = false;
  #lastChange: Promise<unknown> = Promise.resolve();

  constructor(options: BalancerOptions) {
    this.#options = options;
  }

  /**
   * Brings back every fleet as it was last synced, under the same addresses. One whose address cannot be bound stays
   * without, so that the others serve, until a sync binds it.
   */
  async restore(): Promise<void> {
    const restored = await readStateFile(this.#options.stateFile);
    // All before the first is bound: what is saved meanwhile must hold every fleet.
    for (const saved of restored) this.#restoreFleet(saved);
    const untilMs = this.#options.nowMs() + limits.lbRebindMs;
    for (const { state, bound } of restored) await this.#rebind(this.#fleet(state.fleet), bound, untilMs);
  }

  /** Puts a state in force; an equal version changes nothing. Throws STALE_STATE_VERSION, PORT_IN_USE, INVALID_REQUEST, DISK_FULL. */
  sync(state: LoadBalancerState): Promise<void> {
    return this.#change(async () => {
      const fleet = this.#fleets.get(state.fleet);
      if (fleet === undefined) return this.#create(state);
      if (state.stateVersion < fleet.state.stateVersion) throw staleVersion(state, fleet.state);
      if (state.stateVersion === fleet.state.stateVersion && fleet.bound !== null) return this.#saveIfOwed();
      await this.#moveListener(fleet, state);
      fleet.apply(state);
      await this.#save();
    });
  }

  /** Throws NOT_FOUND, and PORT_IN_USE for a fleet whose address could not be bound again at a restart. */
  endpoint(name: string): string {
    const { bound, state } = this.#fleet(name);
    if (bound !== null) return urlOf(bound);
    const message = `fleet ${name} is not served: ${state.listen ?? defaultListen} could not be bound at the restart`;
    throw new ForewarmError("PORT_IN_USE", message, {
      cure: "Free the address, or change `listen` in the template; the next change of the fleet binds it.",
    });
  }

  /** Addresses of all fleets that have one. */
  endpoints(): Record<string, string> {
    const bound = [...this.#fleets].flatMap(([name, fleet]) =>
      fleet.bound === null ? [] : [[name, urlOf(fleet.bound)]],
    );
    return Object.fromEntries(bound);
  }

  stats(name: string): LoadBalancerStats {
    return this.#fleet(name).stats();
  }

  /** True once the host has nothing in flight, false at the deadline or when the caller hangs up. */
  async drain(name: string, drain: { hostId: string; deadlineMs: number; signal: AbortSignal }): Promise<boolean> {
    const fleet = this.#fleet(name);
    const empty = fleet.drain(drain.hostId, drain.deadlineMs, drain.signal);
    await this.#change(() => this.#save());
    return empty;
  }

  mirror(name: string, target: MirrorTarget | null): Promise<void> {
    const fleet = this.#fleet(name);
    return this.#change(async () => {
      fleet.setMirror(target);
      await this.#save();
    });
  }

  /** Forgets a fleet; open requests get the time of an orderly stop. */
  async remove(name: string): Promise<void> {
    const removed = await this.#change(async () => {
      const fleet = this.#fleets.get(name);
      this.#fleets.delete(name);
      await (fleet === undefined ? this.#saveIfOwed() : this.#save());
      return fleet;
    });
    await removed?.close(limits.lbShutdownMs);
  }

  /** Lets open requests end for a bounded time, then frees everything. */
  async close(): Promise<void> {
    await this.#lastChange;
    await Promise.all([...this.#fleets.values()].map((fleet) => fleet.close(limits.lbShutdownMs)));
  }

  #fleet(name: string): FleetProxy {
    const fleet = this.#fleets.get(name);
    if (fleet === undefined) throw new ForewarmError("NOT_FOUND", `the load balancer has no fleet ${name}`);
    return fleet;
  }

  async #create(state: LoadBalancerState): Promise<void> {
    const wanted = parseListen(state.listen ?? defaultListen);
    const fleet = this.#proxy(state);
    try {
      await fleet.listen(wanted);
    } catch (error) {
      await fleet.close(0);
      throw error;
    }
    this.#fleets.set(state.fleet, fleet);
    await this.#save();
  }

  #restoreFleet(saved: SavedFleet): void {
    const fleet = this.#proxy(saved.state, { activeSinceMs: saved.activeSinceMs, boundBefore: saved.bound });
    this.#fleets.set(saved.state.fleet, fleet);
    fleet.setMirror(saved.mirror);
  }

  /** A port may be held by a dying predecessor for a moment; one that was chosen freely may be given up for another. */
  async #rebind(fleet: FleetProxy, bound: ListenAddress, untilMs: number): Promise<void> {
    for (;;) {
      try {
        return await fleet.listen(bound);
      } catch (error) {
        if (!isForewarmError(error)) throw error;
        const mayBeFreeSoon = error.code === "PORT_IN_USE" && this.#options.nowMs() <= untilMs;
        if (!mayBeFreeSoon) return this.#rebindElsewhere(fleet, error);
        await new Promise((resolve) => setTimeout(resolve, rebindPauseMs));
      }
    }
  }

  async #rebindElsewhere(fleet: FleetProxy, error: ForewarmError): Promise<void> {
    const wanted = parseListen(fleet.state.listen ?? defaultListen);
    try {
      if (wanted.port !== 0) throw error;
      await fleet.listen(wanted);
    } catch (cause) {
      if (!isForewarmError(cause)) throw cause;
      return this.#options.logger.warn({ fleet: fleet.state.fleet, error: cause.message }, "fleet is not served");
    }
    this.#options.logger.warn(
      { fleet: fleet.state.fleet, bound: fleet.bound, error: error.message },
      "address changed",
    );
    await this.#save();
  }

  async #moveListener(fleet: FleetProxy, state: LoadBalancerState): Promise<void> {
    const wanted = parseListen(state.listen ?? defaultListen);
    const { bound } = fleet;
    if (bound?.address === wanted.address && (wanted.port === 0 || wanted.port === bound.port)) return;
    await fleet.listen(wanted);
  }

  #proxy(state: LoadBalancerState, before: Pick<FleetProxyOptions, "activeSinceMs" | "boundBefore"> = {}): FleetProxy {
    const { nowMs, logger } = this.#options;
    return new FleetProxy({
      ...before,
      state,
      nowMs,
      onHealthTurn: ({ hostId, healthy }) => logger.info({ fleet: state.fleet, hostId, healthy }, "backend turned"),
    });
  }

  #change<Result>(change: () => Promise<Result>): Promise<Result> {
    const result = this.#lastChange.then(change);
    this.#lastChange = result.catch(() => undefined);
    return result;
  }

  async #save(): Promise<void> {
    this.#saveOwed = true;
    const fleets = [...this.#fleets.values()].flatMap((fleet) => fleet.saved() ?? []);
    await writeStateFile(this.#options.stateFile, fleets);
    this.#saveOwed = false;
  }

  /** A change that is in force but could not be written is written when it is sent again. */
  async #saveIfOwed(): Promise<void> {
    if (this.#saveOwed) await this.#save();
  }
}

function urlOf({ address, port }: ListenAddress): string {
  return `http://${address}:${port}`;
}

function staleVersion(given: LoadBalancerState, current: LoadBalancerState): ForewarmError {
  const versions = `${given.stateVersion} is older than ${current.stateVersion}`;
  return new ForewarmError("STALE_STATE_VERSION", `state version of fleet ${given.fleet}: ${versions}`);
}
