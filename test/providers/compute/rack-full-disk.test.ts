import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { AddressBook } from "../../../providers/compute/local/addresses.ts";
import { createRackContext } from "../../../providers/compute/local/rack-context.ts";
import { openJournal, readJournal } from "../../../providers/compute/local/rack-journal.ts";
import type { RackJournal } from "../../../providers/compute/local/rack-journal.ts";
import { applyEntry, emptyRackState } from "../../../providers/compute/local/rack-state.ts";
import { Rack } from "../../../providers/compute/local/rack.ts";
import { FullDisk } from "./full-disk.ts";
import { authorizedKey, until } from "./local-rack.ts";

describe("a rack whose disk is full", () => {
  let folder: string;
  let image: string;
  let disk: FullDisk;
  let journal: RackJournal;
  let rack: Rack;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "rack-full-"));
    image = join(folder, "image");
    await mkdir(image);
    disk = new FullDisk();
    journal = await openJournal(journalPath(), [], disk.open);
    const state = emptyRackState();
    const log = pino({ level: "silent" });
    const nowMs = () => Date.now();
    const context = createRackContext({ home: folder, seed: "test", isolation: "none", state, journal, log, nowMs });
    const addresses = new AddressBook({ mode: "single", rackId: folder, held: [] });
    rack = new Rack({ context, addresses, hosts: new Map(), zones: ["a"], hostsPerZone: 2 });
    await rack.play({ kind: "boot-delay", p50Seconds: 0.01, p90Seconds: 0.02 });
  });

  afterEach(async () => {
    disk.full = false;
    await rack.terminate(rack.describe({}).map(({ machineId }) => machineId));
    await journal.close();
    await rm(folder, { recursive: true, force: true });
  });

  const journalPath = () => join(folder, "journal.jsonl");
  const launch = (requestId: string) => {
    const hosts = [0, 1].map((ordinal) => ({ hostId: `h${ordinal}`, ordinal, zone: "a" }));
    return rack.launch({ requestId, fleet: "web", image, hosts, authorizedKey });
  };
  const stateOnDisk = async () => {
    const state = emptyRackState();
    for (const entry of await readJournal(journalPath())) applyEntry(state, entry);
    return state;
  };

  test("refuses a launch as a whole, and takes the same request once there is room", async () => {
    disk.full = true;
    await expect(launch("r")).rejects.toMatchObject({ code: "DISK_FULL" });
    expect(rack.describe({})).toEqual([]);
    expect(rack.limits()).toMatchObject([{ zone: "a", hostsUsed: 0 }]);
    disk.full = false;
    expect(await launch("r")).toHaveLength(2);
    const running = () => rack.describe({}).every(({ state }) => state === "running");
    await until("the hosts run", running);
    expect([...(await stateOnDisk()).hosts.keys()]).toEqual(rack.describe({}).map(({ machineId }) => machineId));
  });

  test("acknowledges a termination only once it is on disk", async () => {
    const machineIds = (await launch("r")).map(({ machineId }) => machineId);
    await until("the hosts run", () => rack.describe({}).every(({ state }) => state === "running"));
    disk.full = true;
    await expect(rack.terminate(machineIds)).rejects.toMatchObject({ code: "DISK_FULL" });
    await expect(rack.terminate(machineIds)).rejects.toMatchObject({ code: "DISK_FULL" });
    disk.full = false;
    await rack.terminate(machineIds);
    const states = [...(await stateOnDisk()).hosts.values()].map(({ machine }) => machine.state);
    expect(states).toEqual(["terminated", "terminated"]);
  });
});
