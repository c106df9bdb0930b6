import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { limits } from "../../domain/limits.ts";
import { boundLog, followLines, logTail } from "../../embedded/process-log.ts";

let folder: string;
let log: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "fw-log-"));
  log = join(folder, "worker.log");
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("only whole new lines are followed", () => {
  writeFileSync(log, "old\n");
  const newLines = followLines(log, 4);
  appendFileSync(log, "first\nsec");
  expect(newLines()).toEqual(["first"]);
  appendFileSync(log, "ond\n");
  expect(newLines()).toEqual(["second"]);
  expect(newLines()).toEqual([]);
});

test("the tail leaves out what was there before the start", () => {
  writeFileSync(log, "earlier\nnow\n");
  expect(logTail(log, { start: 8 })).toBe("now");
});

test("a log above its bound moves aside and goes on in the same file", () => {
  writeFileSync(log, Buffer.alloc(limits.processLogBytesMax + 1, "x"));
  const { ino } = statSync(log);
  boundLog(log);
  appendFileSync(log, "after\n");
  expect(statSync(log).ino).toBe(ino);
  expect(readFileSync(log, "utf8")).toBe("after\n");
  expect(statSync(`${log}.1`).size).toBe(limits.processLogBytesMax + 1);
});
