import { mkdir, open, readFile, rename } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { ForewarmError } from "../../../domain/errors.ts";
import { journalEntrySchema } from "./rack-state.ts";
import type { JournalEntry } from "./rack-state.ts";
import { createSerial } from "./serial.ts";

/** An append-only file of JSON lines; an entry counts only once it is on disk. */
export interface RackJournal {
  /** Resolves when the entries, in this order, survive a power cut. */
  append(entries: JournalEntry[]): Promise<void>;
  /** Replaces the whole file at once. */
  rewrite(entries: JournalEntry[]): Promise<void>;
  /** Entries appended since the last rewrite. */
  length(): number;
  close(): Promise<void>;
}

function toLines(entries: JournalEntry[]): string {
  return entries.map((entry) => `${JSON.stringify(entry)}\n`).join("");
}

/** Entries of a journal file, oldest first; a last line cut short by a crash was never acknowledged and is left out. */
export async function readJournal(path: string): Promise<JournalEntry[]> {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "";
    throw error;
  });
  return text
    .slice(0, text.lastIndexOf("\n") + 1)
    .split("\n")
    .filter((line) => line !== "")
    .map((line, index) => parseLine(path, line, index + 1));
}

function parseLine(path: string, line: string, number: number): JournalEntry {
  try {
    return journalEntrySchema.parse(JSON.parse(line));
  } catch (error) {
    throw new ForewarmError("INVARIANT", `${path}:${number} is not a journal entry of this version`, { cause: error });
  }
}

async function replaceFile(path: string, text: string): Promise<void> {
  const next = await open(`${path}.next`, "w", 0o600);
  await next.writeFile(text);
  await next.sync();
  await next.close();
  await rename(`${path}.next`, path);
  const folder = await open(dirname(path), "r");
  await folder.sync();
  await folder.close();
}

/** Opens the journal at `path`, starting it anew with `entries`. */
export async function openJournal(path: string, entries: JournalEntry[]): Promise<RackJournal> {
  let file: FileHandle | undefined;
  let count = 0;
  const writes = createSerial();
  let waiting: { lines: string; done: Promise<void> } | null = null;

  const flush = async (batch: { lines: string }): Promise<void> => {
    waiting = null;
    await file?.appendFile(batch.lines);
    await file?.datasync();
  };
  const append = (added: JournalEntry[]): Promise<void> => {
    count += added.length;
    if (waiting) {
      waiting.lines += toLines(added);
      return waiting.done;
    }
    const batch = { lines: toLines(added), done: Promise.resolve() };
    waiting = batch;
    batch.done = writes.run(() => flush(batch));
    return batch.done;
  };
  const rewrite = (all: JournalEntry[]): Promise<void> => {
    // Appends made from here on must land behind the new content.
    waiting = null;
    count = 0;
    return writes.run(async () => {
      await replaceFile(path, toLines(all));
      await file?.close();
      file = await open(path, "a", 0o600);
    });
  };

  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await rewrite(entries);
  return { append, rewrite, length: () => count, close: () => writes.run(async () => file?.close()) };
}
