import type { Logger } from "pino";
import { drawDelayMs } from "../boot-delay.ts";
import type { ProviderEvent } from "../compute-provider.ts";
import type { IsolationMode } from "./isolation.ts";
import type { RackJournal } from "./rack-journal.ts";
import { applyEntry, withdrawLaunch } from "./rack-state.ts";
import type { JournalEntry, LaunchEntry, RackState } from "./rack-state.ts";
import { createStateWriter } from "./state-writer.ts";
import { createKeyedRandom } from "./keyed-random.ts";

/** What all hosts of a rack share. */
export interface RackContext {
  home: string;
  isolation: IsolationMode;
  state: RackState;
  log: Logger;
  nowMs(): number;
  /** Changes the state at once, and resolves when that is on disk. Throws DISK_FULL; the change is then in force. */
  commit(entries: JournalEntry[]): Promise<void>;
  /** Takes a launch whose commit failed out of the state again. */
  withdraw(launch: LaunchEntry): void;
  /** Resolves when what an earlier commit could not write is on disk. Throws DISK_FULL. */
  settle(): Promise<void>;
  /** The next event, to be committed together with the change it tells of. */
  eventEntry(event: EventNews): JournalEntry;
  /** When a boot that begins now is over, in milliseconds since the epoch, or null when it hangs. */
  planBoot(boot: BootName): number | null;
}

export type EventNews = Pick<ProviderEvent, "machineId" | "kind" | "detail">;

/** Names one boot for ever; its delay depends on the seed and this alone. */
export interface BootName {
  requestId: string;
  ordinal: number;
  boots: number;
}

export function createRackContext(
  options: Pick<RackContext, "home" | "isolation" | "state" | "log" | "nowMs"> & { journal: RackJournal; seed: string },
): RackContext {
  const { state, journal, seed, nowMs } = options;
  const writer = createStateWriter(state, journal);
  const commit = (entries: JournalEntry[]): Promise<void> => {
    for (const entry of entries) applyEntry(state, entry);
    return writer.write(entries);
  };
  const withdraw = (launch: LaunchEntry): void => {
    withdrawLaunch(state, launch);
    writer.oweRewrite();
  };
  const eventEntry = (event: EventNews): JournalEntry => {
    const sequence = (state.events.at(-1)?.sequence ?? 0) + 1;
    return { kind: "event", event: { ...event, sequence, atMs: nowMs() } };
  };
  const planBoot = ({ requestId, ordinal, boots }: BootName) => {
    const random = createKeyedRandom(JSON.stringify([seed, requestId, ordinal, boots]));
    const hangs = random() < state.knobs.launchFailureShare || state.knobs.hangBoot;
    return hangs ? null : nowMs() + drawDelayMs(state.knobs.bootDelay, random);
  };
  return {
    home: options.home,
    isolation: options.isolation,
    state,
    log: options.log,
    nowMs,
    commit,
    withdraw,
    settle: () => writer.settle(),
    eventEntry,
    planBoot,
  };
}
