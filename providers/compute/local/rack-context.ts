import type { Logger } from "pino";
import { limits } from "../../../domain/limits.ts";
import { drawDelayMs } from "../boot-delay.ts";
import type { ProviderEvent } from "../compute-provider.ts";
import type { IsolationMode } from "./isolation.ts";
import type { RackJournal } from "./rack-journal.ts";
import { applyEntry, snapshotEntries } from "./rack-state.ts";
import type { JournalEntry, RackState } from "./rack-state.ts";
import { seededRandom } from "./seeded-random.ts";

/** What all hosts of a rack share. */
export interface RackContext {
  home: string;
  isolation: IsolationMode;
  state: RackState;
  log: Logger;
  nowMs(): number;
  /** Changes the state, and resolves once that is on disk. */
  commit(entries: JournalEntry[]): Promise<void>;
  /** Announces what happened to a machine. */
  emit(event: Pick<ProviderEvent, "machineId" | "kind" | "detail">): Promise<void>;
  /** When a boot that begins now is over, in milliseconds since the epoch, or null when it hangs. */
  planBoot(boot: BootName): number | null;
}

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
  const commit = async (entries: JournalEntry[]) => {
    for (const entry of entries) applyEntry(state, entry);
    const isLong = journal.length() >= limits.rackJournalEntriesMax;
    await (isLong ? journal.rewrite(snapshotEntries(state)) : journal.append(entries));
  };
  const emit = async (event: Pick<ProviderEvent, "machineId" | "kind" | "detail">) => {
    const sequence = (state.events.at(-1)?.sequence ?? 0) + 1;
    await commit([{ kind: "event", event: { ...event, sequence, atMs: nowMs() } }]);
  };
  const planBoot = ({ requestId, ordinal, boots }: BootName) => {
    const random = seededRandom(JSON.stringify([seed, requestId, ordinal, boots]));
    const hangs = random() < state.knobs.launchFailureShare || state.knobs.hangBoot;
    return hangs ? null : nowMs() + drawDelayMs(state.knobs.bootDelay, random);
  };
  return { home: options.home, isolation: options.isolation, state, log: options.log, nowMs, commit, emit, planBoot };
}
