import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { isAlive } from "../../embedded/process-identity.ts";
import { readStack } from "../../embedded/stack-state.ts";
import {
  newHome,
  processesNaming,
  removeHome,
  runFixture,
  temporalExecutable,
  until,
  type Program,
} from "./stack-kit.ts";

const executable = temporalExecutable() ?? "";
let home: string;

beforeEach(() => {
  home = newHome();
});

afterEach(async () => removeHome(home));

function forewarm(...args: string[]): Program {
  const { TEMPORAL_ADDRESS: _ignored, ...environment } = process.env;
  return runFixture("cli.ts", args, {
    environment: { ...environment, FOREWARM_HOME: home, TEMPORAL_CLI_PATH: executable },
  });
}

describe.skipIf(executable === "")("up and down (need the `temporal` program)", () => {
  test("up stays in the foreground until Ctrl-C, which stops it cleanly", async () => {
    const up = forewarm("up", "--isolation", "none");
    await until("the stack is up", () => up.output().includes("home"));
    const { processes, uiUrl, temporalAddress } = readStack(home)!;
    expect(up.output()).toContain(`supervisor  process ${up.child.pid}\n`);
    for (const value of [uiUrl!, temporalAddress, home, "isolation   none"]) expect(up.output()).toContain(value);
    expect(up.errors()).toContain("starting Temporal, rack, load balancer and worker");
    up.child.kill("SIGINT");
    expect(await up.exited).toBe(0);
    expect(processes).toHaveLength(4);
    expect(processes.filter(isAlive)).toEqual([]);
    expect(processesNaming(home)).toEqual([]);
    expect(readFileSync(join(home, "stop-order.txt"), "utf8")).toBe("worker\nload-balancer\npower off m-1\nrack\n");
  });

  test("up --detach returns when ready and leaves the stack running; a second up is refused; down stops it", async () => {
    const up = forewarm("--output", "json", "up", "--detach");
    expect(await up.exited).toBe(0);
    const printed = JSON.parse(up.output());
    const state = readStack(home)!;
    expect(printed).toMatchObject({
      pid: state.pid,
      temporal_address: state.temporalAddress,
      ui_url: state.uiUrl,
      isolation: "none",
      home,
    });
    expect(state.processes.filter(isAlive)).toHaveLength(4);
    for (const args of [["up"], ["up", "--detach"]]) {
      const second = forewarm(...args);
      expect(await second.exited).toBe(1);
      expect(second.errors()).toContain(`HOME_IN_USE: process ${state.pid} holds this home`);
    }
    const down = forewarm("down");
    expect(await down.exited).toBe(0);
    expect(down.output()).toBe(`stopped the stack of process ${state.pid} in ${home}\n`);
    expect(processesNaming(home)).toEqual([]);
  });

  test.each([[["up"]], [["up", "--detach"]]])("Ctrl-C during the start of %j ends what was started", async (args) => {
    const up = forewarm(...args);
    await until("something was started", () => (readStack(home)?.processes.length ?? 0) > 0);
    up.child.kill("SIGINT");
    expect(await up.exited).toBe(130);
    expect(up.output()).toBe("");
    await until("nothing of it is left", () => processesNaming(home).length === 0);
    expect(readStack(home)).toBeNull();
  });
});

test("down says when nothing runs", async () => {
  const down = forewarm("down");
  expect(await down.exited).toBe(0);
  expect(down.output()).toBe(`nothing runs in ${home}\n`);
});

test("worker runs in the foreground with this environment until it is asked to end", async () => {
  const { DATABASE_URL: _ignored, ...environment } = process.env;
  const worker = runFixture("cli.ts", ["worker"], {
    environment: { ...environment, FOREWARM_HOME: home, TEMPORAL_ADDRESS: "127.0.0.1:7" },
    cwd: home,
  });
  await until("the worker is ready", () => worker.output().includes('"ready":true'));
  expect(worker.output()).toContain('"TEMPORAL_ADDRESS":"127.0.0.1:7"');
  worker.child.kill("SIGTERM");
  expect(await worker.exited).toBe(0);
  expect(readFileSync(join(home, "stop-order.txt"), "utf8")).toBe("worker\n");
});
