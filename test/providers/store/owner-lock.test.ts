import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { acquireOwnerLock } from "../../../providers/store/pglite/owner-lock.ts";
import { processStart } from "../../../providers/store/pglite/process-identity.ts";

describe("owner lock", () => {
  let directory: string;
  let takenOver: number[];
  const acquire = () => acquireOwnerLock({ directory, onTakeover: (pid) => takenOver.push(pid) });
  const writeLock = (content: string) => writeFileSync(join(directory, "owner.json"), content);

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "forewarm-lock-"));
    takenOver = [];
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  it("is held by one at a time and leaves nothing behind", () => {
    const lock = acquire();
    expect(acquire).toThrow(expect.objectContaining({ code: "STORE_LOCKED" }));
    expect(readdirSync(directory)).toEqual(["owner.json"]);
    lock.release();
    lock.release();
    expect(readdirSync(directory)).toEqual([]);
    acquire().release();
    expect(takenOver).toEqual([]);
  });

  it("is taken over from a process that ended", () => {
    const { pid } = spawnSync(process.execPath, ["--version"]);
    writeLock(JSON.stringify({ pid, processStart: "boot/1", token: "t" }));
    acquire();
    expect(takenOver).toEqual([pid]);
    expect(JSON.parse(readFileSync(join(directory, "owner.json"), "utf8"))).toMatchObject({ pid: process.pid });
    expect(readdirSync(directory)).toEqual(["owner.json"]);
  });

  it("is taken over when the pid belongs to a younger process now", () => {
    writeLock(JSON.stringify({ pid: process.pid, processStart: "an-earlier-boot/1", token: "t" }));
    acquire();
    expect(takenOver).toEqual([process.pid]);
  });

  it.each(["", '{"pid":', '{"pid":"x"}'])("is taken over when a full disk cut it short: %j", (content) => {
    writeLock(content);
    acquire().release();
    expect(takenOver).toEqual([]);
  });

  it("is not released for an owner who has taken it over", () => {
    const first = acquire();
    rmSync(join(directory, "owner.json"));
    acquire();
    first.release();
    expect(acquire).toThrow(expect.objectContaining({ code: "STORE_LOCKED" }));
  });
});

describe("process start", () => {
  it("stays the same for a process and is null for one that ended", () => {
    expect(processStart(process.pid)).toBe(processStart(process.pid));
    expect(processStart(process.pid)).not.toBeNull();
    expect(processStart(spawnSync(process.execPath, ["--version"]).pid)).toBeNull();
  });

  it("differs between two processes", () => {
    expect(processStart(process.ppid)).not.toBe(processStart(process.pid));
  });
});
