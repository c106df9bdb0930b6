import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { lockHolder, takeLock } from "../../embedded/home-lock.ts";
import { runFixture, until, type Program } from "./stack-kit.ts";

let folder: string;
let path: string;
const programs: Program[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "fw-lock-"));
  path = join(folder, "lock");
});

afterEach(async () => {
  for (const { child, exited } of programs.splice(0)) {
    child.stdin?.end();
    await exited;
  }
  rmSync(folder, { recursive: true, force: true });
});

test("a held lock is refused naming the pid, a released one is free", () => {
  const lock = takeLock(path);
  expect(() => takeLock(path)).toThrow(
    expect.objectContaining({ code: "HOME_IN_USE", message: expect.stringContaining(`process ${process.pid} `) }),
  );
  expect(lockHolder(path)?.pid).toBe(process.pid);
  lock.release();
  expect(lockHolder(path)).toBeNull();
  takeLock(path).release();
  expect(readdirSync(folder)).toEqual([]);
});

test("a lock whose owner was killed is taken over", async () => {
  const owner = holder();
  await until("the lock is taken", () => owner.output().includes("taken"));
  owner.child.kill("SIGKILL");
  await owner.exited;
  const lock = takeLock(path);
  expect(JSON.parse(readFileSync(path, "utf8")).pid).toBe(process.pid);
  lock.release();
  expect(readdirSync(folder)).toEqual([]);
});

test("a lock file with unreadable content is taken over", () => {
  writeFileSync(path, "");
  takeLock(path);
  expect(lockHolder(path)?.pid).toBe(process.pid);
});

test("while another process takes a stale lock over it is refused", async () => {
  writeFileSync(path, JSON.stringify({ pid: 0x7ffffffe, startTime: "long-ago", token: "stale" }));
  const rival = holder(`${path}.after-stale`);
  await until("the rival is at it", () => rival.output().includes("taken"));
  expect(() => takeLock(path)).toThrow(
    expect.objectContaining({ code: "HOME_IN_USE", message: expect.stringContaining(`process ${rival.child.pid} `) }),
  );
  rival.child.kill("SIGKILL");
  await rival.exited;
  takeLock(path).release();
});

test("of four processes that find a stale lock at once exactly one gets it", async () => {
  writeFileSync(path, JSON.stringify({ pid: 0x7ffffffe, startTime: "long-ago", token: "stale" }));
  const rivals = Array.from({ length: 4 }, () => holder());
  const answers = await until("all have answered", () => {
    const said = rivals.map((rival) => rival.output().trim());
    return said.every((line) => line !== "") && said;
  });
  expect(answers.toSorted()).toEqual(["HOME_IN_USE", "HOME_IN_USE", "HOME_IN_USE", "taken"]);
});

function holder(lock = path): Program {
  const program = runFixture("take-lock.ts", [lock]);
  programs.push(program);
  return program;
}
