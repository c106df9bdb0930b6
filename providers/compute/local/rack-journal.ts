import { constants } from "node:fs";
import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { ForewarmError } from "../../../domain/errors.ts";
import { journalEntrySchema } from "./rack-state.ts";
import type { JournalEntry } from "./rack-state.ts";
import { createSerial } from "./serial.ts";

/** An append-only file of JSON lines; an entry counts only once it is on disk. */
export interface RackJournal {
  /**
   * Resolves when the entries, in this order, survive a power cut. Throws DISK_FULL. Of entries that failed nothing is
   * kept, and those that were under way behind them may be: the caller then owes a rewrite.
   */
  append(entries: JournalEntry[]): Promise<void>;
  /** Replaces the whole file at once; when that fails, the file before stays. Throws DISK_FULL. */
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

/** How the journal opens its files; `open` of node:fs/promises, unless a test stands in for a disk that is full. */
export type OpenFile = (path: string, flags: string | number, mode?: number) => Promise<FileHandle>;

const newFileFlags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_APPEND;

function journalError(path: string, cause: unknown): unknown {
  const full = cause instanceof Error && "code" in cause && (cause.code === "ENOSPC" || cause.code === "EDQUOT");
  return full ? new ForewarmError("DISK_FULL", `no room for the rack's journal in ${path}`, { cause }) : cause;
}

/** The file of a journal, changed by one caller at a time. After a failure it holds what it held before. */
class JournalFile {
  readonly #path: string;
  readonly #openFile: OpenFile;
  #file: FileHandle | undefined;
  /** Bytes that are known to be whole lines. */
  #goodBytes = 0;
  #torn = false;

  constructor(path: string, openFile: OpenFile) {
    this.#path = path;
    this.#openFile = openFile;
  }

  /** Throws DISK_FULL. */
  async append(lines: string): Promise<void> {
    try {
      if (this.#torn) await this.#mend();
      this.#torn = true;
      await this.#file?.appendFile(lines);
      await this.#file?.datasync();
    } catch (error) {
      // Nothing may ever land behind half a line. Where this fails as well, the next append tries it first.
      await this.#mend().catch(() => undefined);
      throw journalError(this.#path, error);
    }
    this.#goodBytes += Buffer.byteLength(lines);
    this.#torn = false;
  }

  async #mend(): Promise<void> {
    await this.#file?.truncate(this.#goodBytes);
    this.#torn = false;
  }

  /** Throws DISK_FULL. */
  async replace(text: string): Promise<void> {
    try {
      const next = await this.#writeNext(text);
      const before = this.#file;
      this.#file = next;
      this.#goodBytes = Buffer.byteLength(text);
      this.#torn = false;
      await before?.close();
      await this.#syncFolder();
    } catch (error) {
      throw journalError(this.#path, error);
    }
  }

  async #writeNext(text: string): Promise<FileHandle> {
    const nextPath = `${this.#path}.next`;
    const next = await this.#openFile(nextPath, newFileFlags, 0o600);
    try {
      await next.writeFile(text);
      await next.sync();
      await rename(nextPath, this.#path);
      return next;
    } catch (error) {
      await next.close();
      // Its part of a full disk is of more use to others.
      await rm(nextPath, { force: true });
      throw error;
    }
  }

  async #syncFolder(): Promise<void> {
    const folder = await this.#openFile(dirname(this.#path), "r");
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }

  async close(): Promise<void> {
    await this.#file?.close();
  }
}

/** Opens the journal at `path`, starting it anew with `entries`. */
export async function openJournal(
  path: string,
  entries: JournalEntry[],
  openFile: OpenFile = open,
): Promise<RackJournal> {
  const file = new JournalFile(path, openFile);
  let count = 0;
  const writes = createSerial();
  let waiting: { lines: string; done: Promise<void> } | null = null;

  const flush = (batch: { lines: string }): Promise<void> => {
    waiting = null;
    return file.append(batch.lines);
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
    return writes.run(() => file.replace(toLines(all)));
  };

  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await rewrite(entries);
  return { append, rewrite, length: () => count, close: () => writes.run(() => file.close()) };
}
