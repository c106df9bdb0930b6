import type { Logger } from "pino";
import { limits } from "../../../domain/limits.ts";
import { drawDelayMs } from "../boot-delay.ts";
import type { ProviderEvent } from "../compute-provider.ts";
import type { IsolationMode } from "./isolation.ts";
import type { RackJournal } from "./rack-journal.ts";
import { applyEntry, forgetOldest, snapshotEntries } from "./rack-state.ts";
import type { JournalEntry, RackState } from "./rack-state.ts";
import { createKeyedRandom } from "./keyed-random.ts";

/** What all hosts of a rack share. */
export interface RackContext {
  home: string;
  isolation: IsolationMode;
  state: RackState;
  log: Logger;
  nowMs(): number;
  /** Changes the state, and resolves once that is on disk. */
  commit(entries: JournalEntry[]): Promise<void>;
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
  const commit = async (entries: JournalEntry[]): Promise<void> => {
    for (const entry of entries) applyEntry(state, entry);
    if (journal.length() < limits.rackJournalEntriesMax) return journal.append(entries);
    forgetOldest(state);
    return journal.rewrite(snapshotEntries(state));
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
    eventEntry,
    planBoot,
  };
}
