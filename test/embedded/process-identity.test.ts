import { spawn } from "node:child_process";
import { expect, test } from "vitest";
import {
  endProcess,
  isAlive,
  ownIdentity,
  portableStartTime,
  startTimeOf,
  type ProcessIdentity,
} from "../../embedded/process-identity.ts";
import { fixture, runFixture, until } from "./stack-kit.ts";

function started(file: string): ProcessIdentity {
  const child = spawn(process.execPath, [fixture(file)], { detached: true, stdio: "ignore" });
  child.unref();
  return { pid: child.pid!, startTime: startTimeOf(child.pid!)! };
}

test("a process is itself only with its start time", () => {
  const self = ownIdentity();
  expect(isAlive(self)).toBe(true);
  expect(isAlive({ ...self, startTime: "00000000-1" })).toBe(false);
});

test("without a process file system ps tells the same", async () => {
  const identity = started("silent.mjs");
  const startTime = portableStartTime(identity.pid);
  expect(startTime).toMatch(/\d\d:\d\d:\d\d/);
  expect(portableStartTime(identity.pid)).toBe(startTime);
  await endProcess(identity, 1000);
  expect(portableStartTime(identity.pid)).toBeNull();
});

test("a process that took over the pid of another is left alone", async () => {
  const identity = started("silent.mjs");
  await endProcess({ pid: identity.pid, startTime: "00000000-1" }, 1000);
  expect(isAlive(identity)).toBe(true);
  await endProcess(identity, 1000);
  expect(isAlive(identity)).toBe(false);
});

test("a process that does not listen to SIGTERM is ended by force after its grace time", async () => {
  const { child, output } = runFixture("deaf.mjs", []);
  await until("deaf.mjs handles SIGTERM", () => output().includes("ready"));
  const identity = { pid: child.pid!, startTime: startTimeOf(child.pid!)! };
  await endProcess(identity, 300);
  expect(isAlive(identity)).toBe(false);
  expect(output()).toContain("asked to end");
});
