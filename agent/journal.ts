import { join } from "node:path";
import type { AgentApplication } from "../schema/agent-protocol.ts";
import { readJsonIfPresent, writeDurably } from "./durable-file.ts";
import { createFields, type Fields } from "./fields.ts";
import { readApplication } from "./read-request.ts";

/** An application that must run, and the process it had when the journal was written. */
export interface JournalEntry {
  application: AgentApplication;
  pid: number | null;
  startTime: string | null;
  restarts: number;
}

const journalFile = "applications.json";

/** The applications this host must run, as the last agent on it knew them; in their order. */
export async function readJournal(stateFolder: string): Promise<JournalEntry[]> {
  const value = await readJsonIfPresent(join(stateFolder, journalFile));
  if (value === undefined) return [];
  return createFields(journalFile, value)
    .list("applications")
    .map((entry) => readEntry(createFields(journalFile, entry)));
}

export async function writeJournal(stateFolder: string, entries: readonly JournalEntry[]): Promise<void> {
  await writeDurably(join(stateFolder, journalFile), JSON.stringify({ applications: entries }));
}

function readEntry(fields: Fields): JournalEntry {
  return {
    application: readApplication(fields.record("application")),
    pid: fields.integerOrNull("pid"),
    startTime: fields.textOrNull("startTime"),
    restarts: fields.integer("restarts"),
  };
}
