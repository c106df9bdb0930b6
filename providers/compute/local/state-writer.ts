import { limits } from "../../../domain/limits.ts";
import type { RackJournal } from "./rack-journal.ts";
import { forgetOldest, snapshotEntries } from "./rack-state.ts";
import type { JournalEntry, RackState } from "./rack-state.ts";

/** Keeps the journal as the state is: what could not be written is written, with all else, at the next chance. */
export interface StateWriter {
  /** Writes entries that the state already holds. Throws DISK_FULL. */
  write(entries: JournalEntry[]): Promise<void>;
  /** The state has changed in a way that no entry tells. */
  oweRewrite(): void;
  /** Resolves when nothing is owed. Throws DISK_FULL. */
  settle(): Promise<void>;
}

export function createStateWriter(state: RackState, journal: RackJournal): StateWriter {
  let rewriteOwed = false;
  let rewriting: Promise<void> = Promise.resolve();
  const oweRewrite = (): void => {
    rewriteOwed = true;
  };
  const orOwe = (written: Promise<void>): Promise<void> =>
    written.catch((error: unknown) => {
      oweRewrite();
      throw error;
    });
  const rewrite = (): Promise<void> => {
    // Now and not when it is done: what is owed from here on is not in this snapshot.
    rewriteOwed = false;
    forgetOldest(state);
    const written = orOwe(journal.rewrite(snapshotEntries(state)));
    rewriting = written.catch(() => undefined);
    return written;
  };
  return {
    write(entries) {
      const append = !rewriteOwed && journal.length() < limits.rackJournalEntriesMax;
      return append ? orOwe(journal.append(entries)) : rewrite();
    },
    oweRewrite,
    async settle() {
      await rewriting;
      if (rewriteOwed) await rewrite();
    },
  };
}
