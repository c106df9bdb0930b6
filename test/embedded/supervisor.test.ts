import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { limits } from "../../domain/limits.ts";
import { nodeCommand } from "../../embedded/entries.ts";
import type { ProcessSpec } from "../../embedded/launch.ts";
import { isAlive } from "../../embedded/process-identity.ts";
import type { ProcessReport } from "../../embedded/supervised-process.ts";
import { SupervisedGroup } from "../../embedded/supervisor.ts";
import { fixture, newHome, until } from "./stack-kit.ts";

let home: string;
let group: SupervisedGroup;
let events: string[];
const never = new AbortController().signal;

beforeEach(() => {
  home = newHome();
  mkdirSync(join(home, "run"));
  events = [];
});

afterEach(async () => {
  group.kill();
  await group.stop();
  rmSync(home, { recursive: true, force: true });
});

function spec(name: string, file: string, rest: Partial<ProcessSpec> = {}): ProcessSpec {
  return {
    name,
    ...nodeCommand(fixture(file)),
    environment: {
      ...process.env,
      FOREWARM_RACK_SOCKET: join(home, "run", "rack.sock"),
      FOREWARM_LB_SOCKET: join(home, "run", "lb.sock"),
    },
    directory: home,
    logFile: join(home, `${name}.log`),
    readyDeadlineMs: 20_000,
    stopGraceMs: 5_000,
    ownGroup: true,
    ...rest,
  };
}

function groupOf(...stages: ProcessSpec[][]): SupervisedGroup {
  const hooks = {
    onChange: () => undefined,
    onEvent: (line: string) => void events.push(line),
    nowMs: () => performance.now(),
  };
  group = new SupervisedGroup(stages, hooks, join(home, "supervisor.log"));
  return group;
}

const reportOf = (name: string): ProcessReport => group.reports().find((report) => report.name === name)!;

test("stages start in order, ready lines are read, and all end in reverse order", async () => {
  await groupOf(
    [spec("rack", "rack.mjs"), spec("load-balancer", "load-balancer.mjs")],
    [spec("worker", "worker.mjs")],
  ).start(never);
  const pids = group.reports();
  expect(pids.map(({ name, ready }) => [name, ready])).toEqual([
    ["rack", true],
    ["load-balancer", true],
    ["worker", true],
  ]);
  expect(group.readyLine("rack")).toMatchObject({ ready: true, isolation: "none" });
  await group.stop();
  expect(readFileSync(join(home, "stop-order.txt"), "utf8")).toBe("worker\nload-balancer\nrack\n");
  expect(pids.filter(isAlive)).toEqual([]);
  expect(group.reports()).toEqual([]);
});

test("a killed process is started again, also with its socket left behind", async () => {
  await groupOf([spec("rack", "rack.mjs", { socket: join(home, "run", "rack.sock") })]).start(never);
  const first = reportOf("rack");
  process.kill(first.pid, "SIGKILL");
  const second = await until(
    "rack is ready again",
    () => reportOf("rack").restarts === 1 && reportOf("rack").ready && reportOf("rack"),
  );
  expect(second.pid).not.toBe(first.pid);
  expect(events[0]).toBe("rack was ended by SIGKILL; it is started again in 0.2 s");
  expect(events[1]).toMatch(/^rack is ready again after \d/);
});

test("a process that ends before it is ready fails the start with its last lines, and the others are ended", async () => {
  const start = groupOf([spec("rack", "rack.mjs")], [spec("worker", "crash.mjs")]).start(never);
  await expect(start).rejects.toMatchObject({
    code: "COMMAND_FAILED",
    message: expect.stringContaining(
      "worker ended with exit code 3 before it was ready\ncannot lock the store; set DATABASE_URL",
    ),
    cure: expect.stringContaining("worker.log"),
  });
  expect(readFileSync(join(home, "stop-order.txt"), "utf8")).toBe("rack\n");
  expect(group.reports()).toEqual([]);
});

test("a process that says nothing is given up at its deadline", async () => {
  const start = groupOf([spec("worker", "silent.mjs", { readyDeadlineMs: 300 })]).start(never);
  await expect(start).rejects.toMatchObject({
    code: "COMMAND_TIMED_OUT",
    message: expect.stringContaining("worker was not ready within 0.3 s"),
  });
});

test("a program that does not exist fails by name", async () => {
  const start = groupOf([spec("worker", "crash.mjs", { command: join(home, "absent") })]).start(never);
  await expect(start).rejects.toMatchObject({
    code: "COMMAND_FAILED",
    message: expect.stringContaining(join(home, "absent")),
  });
});

test("the logs of the processes and its own stay bounded while it runs", async () => {
  const logs = [join(home, "worker.log"), join(home, "supervisor.log")];
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  onTestFinished(() => void vi.useRealTimers());
  await groupOf([spec("worker", "worker.mjs")]).start(never);
  for (const log of logs) writeFileSync(log, Buffer.alloc(limits.processLogBytesMax + 1, "x"));
  vi.advanceTimersByTime(60_000);
  expect(logs.map((log) => statSync(log).size)).toEqual([0, 0]);
});

test("a start can be cancelled", async () => {
  const cancel = new AbortController();
  const start = groupOf([spec("worker", "silent.mjs")]).start(cancel.signal);
  await until("the process runs", () => group.reports().length === 1);
  const [worker] = group.reports();
  cancel.abort();
  await expect(start).rejects.toMatchObject({ code: "CANCELLED" });
  expect(isAlive(worker!)).toBe(false);
});

test("a process that does not listen is ended by force after its grace time", async () => {
  await groupOf([spec("worker", "deaf.mjs", { stopGraceMs: 300 })]).start(never);
  const worker = reportOf("worker");
  await group.stop();
  expect(isAlive(worker)).toBe(false);
  expect(readFileSync(join(home, "worker.log"), "utf8")).toContain("asked to end");
});

test("a stop while a process waits for its restart leaves nothing running", async () => {
  await groupOf([spec("worker", "worker.mjs")]).start(never);
  process.kill(reportOf("worker").pid, "SIGKILL");
  await until("the end is noticed", () => events.length === 1);
  await group.stop();
  expect(group.reports()).toEqual([]);
  expect(events).toHaveLength(1);
});
