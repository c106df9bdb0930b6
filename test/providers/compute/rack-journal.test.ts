import { appendFile, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { limits } from "../../../domain/limits.ts";
import { openJournal, readJournal } from "../../../providers/compute/local/rack-journal.ts";
import {
  applyEntry,
  emptyRackState,
  forgetOldest,
  snapshotEntries,
} from "../../../providers/compute/local/rack-state.ts";
import type { JournalEntry } from "../../../providers/compute/local/rack-state.ts";
import { createStateWriter } from "../../../providers/compute/local/state-writer.ts";
import { FullDisk } from "./full-disk.ts";

const tombstone = (requestId: string, ...ordinals: number[]): JournalEntry => ({
  kind: "tombstones",
  requestId,
  ordinals,
});
const event = (sequence: number): JournalEntry => ({
  kind: "event",
  event: { sequence, machineId: "m", kind: "crashed", atMs: sequence, detail: "" },
});

describe("the rack's journal", () => {
  let folder: string;
  let path: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "journal-"));
    path = join(folder, "journal.jsonl");
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  test("gives back what was appended, in order, also by many at once", async () => {
    const journal = await openJournal(path, []);
    await Promise.all(Array.from({ length: 50 }, (_, index) => journal.append([tombstone(`r${index}`, index)])));
    await journal.close();
    expect(await readJournal(path)).toEqual(Array.from({ length: 50 }, (_, index) => tombstone(`r${index}`, index)));
  });

  test("keeps appends on the right side of a rewrite", async () => {
    const journal = await openJournal(path, []);
    await Promise.all([journal.append([event(1)]), journal.rewrite([event(2)]), journal.append([event(3)])]);
    expect(journal.length()).toBe(1);
    await journal.close();
    expect(await readJournal(path)).toEqual([event(2), event(3)]);
  });

  test("never writes behind half a line that a full disk left, and says DISK_FULL", async () => {
    const disk = new FullDisk();
    const journal = await openJournal(path, [event(1)], disk.open);
    await journal.append([event(2)]);
    disk.full = true;
    await expect(journal.append([event(3)])).rejects.toMatchObject({ code: "DISK_FULL", retryable: true });
    expect(await readJournal(path)).toEqual([event(1), event(2)]);
    disk.full = false;
    await journal.append([event(4)]);
    await journal.close();
    expect(await readJournal(path)).toEqual([event(1), event(2), event(4)]);
  });

  test("keeps the file it has, and appends to it, when a rewrite finds no room", async () => {
    const disk = new FullDisk();
    const journal = await openJournal(path, [event(1)], disk.open);
    disk.full = true;
    await expect(journal.rewrite([event(2)])).rejects.toMatchObject({ code: "DISK_FULL" });
    expect(await readdir(folder)).toEqual(["journal.jsonl"]);
    disk.full = false;
    await journal.append([event(3)]);
    await journal.close();
    expect(await readJournal(path)).toEqual([event(1), event(3)]);
  });

  test.each(["append", "rewrite"])("what a failed %s held is written with the next change", async (how) => {
    const disk = new FullDisk();
    const state = emptyRackState();
    const journal = await openJournal(path, [], disk.open);
    const writer = createStateWriter(state, journal);
    const change = (entry: JournalEntry) => {
      applyEntry(state, entry);
      return writer.write([entry]);
    };
    if (how === "rewrite") writer.oweRewrite();
    disk.full = true;
    await expect(change(event(1))).rejects.toMatchObject({ code: "DISK_FULL" });
    await expect(writer.settle()).rejects.toMatchObject({ code: "DISK_FULL" });
    disk.full = false;
    await change(event(2));
    await journal.close();
    expect(await readJournal(path)).toEqual(snapshotEntries(state));
    expect(await readJournal(path)).toEqual(expect.arrayContaining([event(1), event(2)]));
  });

  test("does not forgive a damaged line in the middle, and names it", async () => {
    const journal = await openJournal(path, [event(1)]);
    await journal.close();
    await appendFile(path, "damaged\n");
    await expect(readJournal(path)).rejects.toMatchObject({
      code: "INVARIANT",
      message: `${path}:2 is not a journal entry of this version`,
    });
    expect(await readFile(path, "utf8")).toContain("damaged");
  });

  test("a snapshot leads to the same state", () => {
    const state = emptyRackState();
    const launch: JournalEntry = { kind: "launch", requestId: "r", fingerprint: "f", machineIds: ["m"], hosts: [] };
    const rack: JournalEntry = { kind: "rack", rackId: "one", computerBootId: "two" };
    for (const entry of [rack, launch, tombstone("r", 1), tombstone("r", 2), event(1)]) applyEntry(state, entry);
    const again = emptyRackState();
    for (const entry of snapshotEntries(state)) applyEntry(again, entry);
    expect(again).toEqual(state);
    expect([...again.tombstones.get("r")!]).toEqual([1, 2]);
  });

  test("forgets the oldest beyond the bounds and nothing newer", () => {
    const state = emptyRackState();
    for (let number = 1; number <= limits.rackEventsMax + 3; number += 1) applyEntry(state, event(number));
    for (let number = 0; number < limits.rackRequestsMax + 2; number += 1)
      applyEntry(state, tombstone(`r${number}`, 0));
    forgetOldest(state);
    expect(state.events).toHaveLength(limits.rackEventsMax);
    expect(state.events[0]!.sequence).toBe(4);
    expect([state.tombstones.has("r1"), state.tombstones.has("r2")]).toEqual([false, true]);
  });
});
