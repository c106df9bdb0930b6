import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ManagedApplication } from "../../agent/managed-application.ts";
import { identifyProcess, signalGroup } from "../../agent/process-identity.ts";
import { applicationOf, until } from "./agent-fixture.ts";

describe("a start or stop that comes while the restart after a crash is under way", () => {
  let root: string;
  let application: ManagedApplication;
  /** Where a journal write waits while the disk is slow. */
  let slowDisk: Promise<void> | null;
  let writes: number;
  let restarts: number;
  let failures: unknown[];

  beforeEach(async () => {
    root = mkdtempSync(join(tmpdir(), "fw-managed-"));
    for (const folder of ["opt/app", "logs"]) mkdirSync(join(root, folder), { recursive: true });
    [slowDisk, writes, restarts, failures] = [null, 0, 0, []];
    const environment = { PATH: process.env["PATH"] ?? "" };
    const address = "127.0.0.1";
    const config = { root, stateFolder: root, address, checkAddress: address, port: null, environment, crashAt: "" };
    application = new ManagedApplication(
      { config, application: applicationOf("web", "echo $$ >> pids; exec sleep 600"), isFirst: true },
      {
        now: () => performance.now(),
        events: {
          changed: async () => {
            writes += 1;
            await slowDisk;
          },
          exited: async () => undefined,
          restarted: async () => void (restarts += 1),
          spawned: () => undefined,
          failed: (error) => failures.push(error),
        },
      },
    );
    await application.start();
    await until(() => pids().length === 1, "it runs");
  });

  afterEach(async () => {
    await application.stop();
    for (const pid of pids()) signalGroup(pid, "SIGKILL");
    await until(() => pids().every((pid) => identifyProcess(pid) === null), "all are gone");
    rmSync(root, { recursive: true, force: true });
  });

  const pidFile = () => join(root, "opt/app/pids");
  const pids = () => (existsSync(pidFile()) ? readFileSync(pidFile(), "utf8").trim().split("\n").map(Number) : []);
  const log = () => join(root, "logs/web.log");

  /** Kills the process and lets its restart come as far as its write of the journal. */
  async function crashIntoSlowRestart(): Promise<() => void> {
    process.kill(application.identity()!.pid, "SIGKILL");
    await until(() => application.entry().pid === null, "the end is noticed");
    let goOn = (): void => undefined;
    slowDisk = new Promise<void>((resolve) => (goOn = resolve));
    const before = writes;
    await until(() => writes > before, "the restart writes the journal");
    return goOn;
  }

  /** How many processes run besides the one that is managed, once that one does. */
  async function othersThatRun(): Promise<number> {
    const managed = application.identity()!.pid;
    await until(() => pids().includes(managed), "it runs");
    return pids().filter((pid) => pid !== managed && identifyProcess(pid) !== null).length;
  }

  it("leaves one process when it stops and starts", async () => {
    const goOn = await crashIntoSlowRestart();
    const started = application.stop().then(() => application.start());
    goOn();
    await started;
    expect([await othersThatRun(), restarts, failures]).toEqual([0, 0, []]);
  });

  it("leaves one process when it starts", async () => {
    const goOn = await crashIntoSlowRestart();
    const started = application.start();
    goOn();
    await started;
    expect([await othersThatRun(), restarts, failures]).toEqual([0, 0, []]);
  });

  it("leaves no process when it stops in the middle of the launch", async () => {
    const goOn = await crashIntoSlowRestart();
    rmSync(log());
    goOn();
    // Only promises go on in this loop: the child is spawned, and nobody has been told.
    for (let turn = 0; turn < 1000 && !existsSync(log()); turn += 1) await Promise.resolve();
    expect(existsSync(log())).toBe(true);
    await application.stop();
    await until(() => pids().every((pid) => identifyProcess(pid) === null), "none is left");
    expect(application.identity()).toBeNull();
  });
});
