import { mkdirSync, readFileSync, statSync } from "node:fs";
import { once } from "node:events";
import { request, type IncomingMessage } from "node:http";
import { createServer, type AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { isAlive } from "../../embedded/process-identity.ts";
import { startStack, type Stack, type StackOptions } from "../../embedded/stack.ts";
import { readJournal, readStack } from "../../embedded/stack-state.ts";
import { stopHome } from "../../embedded/stop-home.ts";
import { isServing } from "../../embedded/temporal-server/health.ts";
import {
  newHome,
  processesNaming,
  readyProcess,
  removeHome,
  runFixture,
  standIns,
  temporalExecutable,
  until,
  type Program,
} from "./stack-kit.ts";

const executable = temporalExecutable() ?? "";
const temporal = { kind: "executable", path: executable, version: "" } as const;
let home: string;
let stack: Stack | null;
let lines: string[];

beforeEach(() => {
  home = newHome();
  stack = null;
  lines = [];
});

afterEach(async () => {
  await stack?.stop();
  await removeHome(home);
});

async function up(options: Partial<StackOptions> = {}): Promise<Stack> {
  stack = await startStack({
    home,
    isolation: "auto",
    temporal,
    entries: standIns,
    onProgress: (line) => lines.push(line),
    ...options,
  });
  return stack;
}

function readyLine(name: string): Record<string, unknown> {
  const log = readFileSync(join(home, "logs", `${name}.log`), "utf8");
  return JSON.parse(log.split("\n").find((line) => line.includes('"ready":true'))!) as Record<string, unknown>;
}

describe.skipIf(executable === "")("a stack (needs the `temporal` program)", () => {
  test("hands each process what it needs and tells how to reach it", async () => {
    const { info } = await up({ addresses: "loopback" });
    expect(readyLine("rack")).toMatchObject({
      FOREWARM_RACK_HOME: join(home, "rack"),
      FOREWARM_RACK_SOCKET: info.sockets.rack,
      FOREWARM_RACK_ISOLATION: "auto",
      FOREWARM_RACK_ADDRESSES: "loopback",
    });
    expect(readyLine("load-balancer")).toMatchObject({
      FOREWARM_LB_SOCKET: info.sockets.loadBalancer,
      FOREWARM_LB_STATE: join(home, "load-balancer", "state.json"),
    });
    expect(readyLine("worker")).toMatchObject({
      FOREWARM_HOME: home,
      TEMPORAL_ADDRESS: info.temporalAddress,
      FOREWARM_RACK_SOCKET: info.sockets.rack,
      FOREWARM_LB_SOCKET: info.sockets.loadBalancer,
      FOREWARM_FLEET_KEY: info.keys.fleetKey,
      FOREWARM_STORE: join(home, "store"),
    });
    expect(statSync(info.keys.fleetKey).mode & 0o777).toBe(0o600);
    expect(info.isolation).toBe("none");
    expect(lines).toContain("rack: no walls");
    expect(await isServing(info.temporalAddress)).toBe(true);
    expect((await fetch(info.uiUrl!)).status).toBe(200);
    expect(readStack(home)).toEqual(info);
    expect(info).toMatchObject({ pid: process.pid, ready: true });
  });

  test("stop ends every process and gives the home back; the next start keeps ports and keys", async () => {
    const first = await up();
    await first.stop();
    await first.exited;
    expect(first.info.processes.map(({ name }) => name)).toEqual(["temporal", "rack", "load-balancer", "worker"]);
    expect(first.info.processes.filter(isAlive)).toEqual([]);
    expect(processesNaming(home)).toEqual([]);
    expect(readStack(home)).toBeNull();
    const second = await up();
    expect(second.info.ports).toEqual(first.info.ports);
    expect(second.info.keys).toEqual(first.info.keys);
  });

  test.each(["temporal", "rack", "load-balancer", "worker"])(
    "%s killed with -9 is started again and ready",
    async (name) => {
      const { info } = await up();
      const before = readyProcess(home, name)!;
      process.kill(before.pid, "SIGKILL");
      const after = await until(`${name} is ready again`, () => {
        const now = readyProcess(home, name);
        return now !== null && now.pid !== before.pid && now;
      });
      expect(isAlive(after)).toBe(true);
      expect(await isServing(info.temporalAddress)).toBe(true);
      expect(await answerOf(info.sockets.rack)).toContain("m-1");
      expect(
        readStack(home)
          ?.processes.filter(({ restarts }) => restarts > 0)
          .map((process) => process.name),
      ).toEqual([name]);
      expect(readFileSync(join(home, "logs", "supervisor.log"), "utf8")).toContain(`${name} was ended by SIGKILL`);
    },
  );

  test("a second start on one home is refused naming the pid, and disturbs nothing", async () => {
    const first = await up();
    const refused = startStack({ home, isolation: "none", temporal, entries: standIns, onProgress: () => undefined });
    await expect(refused).rejects.toMatchObject({
      code: "HOME_IN_USE",
      message: expect.stringContaining(`process ${process.pid} `),
    });
    expect(first.info.processes.every(isAlive)).toBe(true);
  });

  test("two homes run side by side", async () => {
    const first = await up();
    const other = newHome();
    const second = await startStack({
      home: other,
      isolation: "none",
      temporal,
      entries: standIns,
      onProgress: () => undefined,
    });
    const ports = [first, second].flatMap(({ info }) => Object.values(info.ports!));
    expect(new Set(ports).size).toBe(4);
    await second.stop();
    await removeHome(other);
    expect(first.info.processes.every(isAlive)).toBe(true);
  });

  test("a deep home works", async () => {
    const outer = home;
    home = join(outer, "d".repeat(120));
    mkdirSync(home);
    const { info } = await up();
    expect(Buffer.byteLength(info.sockets.rack)).toBeLessThan(104);
    expect(await answerOf(info.sockets.rack)).toContain("m-1");
    await stack?.stop();
    home = outer;
  });

  test("a failing worker fails the start with its words and leaves nothing running", async () => {
    const start = up({ entries: { ...standIns, worker: join(standIns.worker, "..", "crash.mjs") } });
    await expect(start).rejects.toMatchObject({
      code: "COMMAND_FAILED",
      message: expect.stringContaining("set DATABASE_URL"),
    });
    expect(processesNaming(home)).toEqual([]);
    expect(readJournal(home)).toBeNull();
    await up();
  });

  test("after kill -9 of the supervisor the next start ends the orphans first", async () => {
    const supervisor = await supervisedElsewhere();
    const orphans = readJournal(home)!.processes;
    supervisor.child.kill("SIGKILL");
    await supervisor.exited;
    expect(orphans.filter(isAlive)).toHaveLength(4);
    expect(readStack(home)).toBeNull();
    const { info } = await up();
    expect(orphans.filter(isAlive)).toEqual([]);
    expect(lines[0]).toBe("ended what an earlier stack left running: worker, load-balancer, rack, temporal");
    expect(info.processes.every(isAlive)).toBe(true);
  });

  test("a stop from another process ends everything; with a killed supervisor it ends the orphans", async () => {
    const first = await supervisedElsewhere();
    const { processes } = readJournal(home)!;
    expect(await stopHome(home, 30_000)).toEqual({ kind: "stopped", pid: first.child.pid, forced: false });
    expect(await first.exited).toBe(0);
    expect(processes.filter(isAlive)).toEqual([]);
    expect(await stopHome(home, 30_000)).toEqual({ kind: "idle" });
    const second = await supervisedElsewhere();
    second.child.kill("SIGKILL");
    await second.exited;
    expect(await stopHome(home, 30_000)).toEqual({
      kind: "orphans",
      names: ["worker", "load-balancer", "rack", "temporal", "hosts"],
    });
    expect(processesNaming(home)).toEqual([]);
  });

  test("hosts are powered off between worker and rack, by a rack started for that when none is left", async () => {
    await (await up()).stop();
    const order = "worker\nload-balancer\npower off m-1\nrack\n";
    expect(readFileSync(join(home, "stop-order.txt"), "utf8")).toBe(order);
    expect(await stopHome(home, 30_000)).toEqual({ kind: "idle" });
    const supervisor = await supervisedElsewhere();
    const { processes } = readJournal(home)!;
    for (const pid of [supervisor.child.pid!, ...processes.map((process) => process.pid)]) process.kill(pid, "SIGKILL");
    await supervisor.exited;
    await until("all that were killed are gone", () => !processes.some(isAlive));
    expect(await stopHome(home, 30_000)).toEqual({ kind: "orphans", names: ["hosts"] });
    expect(readFileSync(join(home, "stop-order.txt"), "utf8")).toBe(`${order}power off m-1\nrack\n`);
    expect(processesNaming(home)).toEqual([]);
  });

  test("a second signal ends a hanging stop by force", async () => {
    const supervisor = await supervisedElsewhere({ worker: "deaf.mjs" });
    const { processes } = readJournal(home)!;
    supervisor.child.kill("SIGTERM");
    await until("the worker was asked", () =>
      readFileSync(join(home, "logs", "worker.log"), "utf8").includes("asked to end"),
    );
    supervisor.child.kill("SIGTERM");
    expect(await supervisor.exited).toBe(0);
    expect(supervisor.output()).toContain("forced");
    expect(processes.filter(isAlive)).toEqual([]);
  });
});

test("a given Temporal address is used and nothing is started for it", async () => {
  const elsewhere = createServer((socket) => socket.end()).listen(0, "127.0.0.1");
  await once(elsewhere, "listening");
  const { port } = elsewhere.address() as AddressInfo;
  const { info } = await upAt(port);
  expect(info).toMatchObject({ temporalAddress: `127.0.0.1:${port}`, uiUrl: null, ports: null });
  expect(info.processes.map(({ name }) => name)).toEqual(["rack", "load-balancer", "worker"]);
  expect(readyLine("worker")).toMatchObject({ TEMPORAL_ADDRESS: `127.0.0.1:${port}` });
  await stack?.stop();
  await new Promise((resolve) => elsewhere.close(resolve));
  await expect(upAt(port)).rejects.toMatchObject({ code: "TEMPORAL_UNREACHABLE" });
});

async function upAt(port: number): Promise<Stack> {
  const environment = { ...process.env, TEMPORAL_ADDRESS: `127.0.0.1:${port}` };
  return up({ temporal: undefined, config: { home, cacheFolder: home, environment } });
}

async function supervisedElsewhere(replaced: object = {}): Promise<Program> {
  const program = runFixture("run-stack.ts", [JSON.stringify({ home, temporal, replaced })]);
  await until("the stack is up", () => program.output().includes("up") || program.child.exitCode !== null);
  return program;
}

async function answerOf(socketPath: string): Promise<string> {
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    request({ socketPath, path: "/describe", method: "POST" }, resolve).once("error", reject).end("{}");
  });
  return text(answer);
}
