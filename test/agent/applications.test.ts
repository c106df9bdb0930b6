import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { identifyProcess } from "../../agent/process-identity.ts";
import { limits } from "../../domain/limits.ts";
import {
  type AgentClient,
  type AgentHost,
  applicationOf,
  bundleAgent,
  installFiles,
  makeAgentHost,
  readHostFile,
  until,
} from "./agent-fixture.ts";

let bundle: string;
let host: AgentHost;
let client: AgentClient;

beforeAll(async () => {
  bundle = await bundleAgent();
});
beforeEach(async () => {
  host = makeAgentHost(bundle);
  await host.start({ FOREWARM_PORT: "23456", FOREWARM_MACHINE_ID: "machine-7" });
  client = await host.open();
});
afterEach(() => host.dispose());

const start = async (fence: number, ...applications: ReturnType<typeof applicationOf>[]) =>
  (await client.call({ op: "start", fence, applications })).applications;
const appFile = (name: string) => until(() => readIfThere(`opt/app/${name}`) ?? false, `${name} was written`);

function readIfThere(path: string): string | undefined {
  try {
    return readHostFile(host, path).trim() || undefined;
  } catch {
    return undefined;
  }
}

describe("applications", () => {
  it("start in their folder with their environment, in a process group of their own", async () => {
    const script = `echo "$FOREWARM_ADDRESS $FOREWARM_PORT $FOREWARM_MACHINE_ID $EXTRA" > seen; head -c 3 "$FOREWARM_CONFIGURATION/a.conf" >> seen; exec sleep 600`;
    await installFiles(client, host.key, { fence: 1, epoch: 1, files: { "a.conf": "one" } });
    const [web, worker] = await start(
      1,
      applicationOf("web", script, { environment: { EXTRA: "more" } }),
      applicationOf("worker", `echo "$FOREWARM_PORT" > worker; exec sleep 600`, { port: 9090 }),
    );
    await until(() => readIfThere("opt/app/seen")?.endsWith("one") ?? false, "the configuration was read");
    expect(readHostFile(host, "opt/app/seen")).toBe("127.0.0.1 23456 machine-7 more\none");
    expect(await appFile("worker")).toBe("9090");
    expect(await client.call({ op: "health" })).toMatchObject({
      ready: true,
      applications: [
        { name: "web", pid: web?.pid, restarts: 0 },
        { name: "worker", pid: worker?.pid, restarts: 0 },
      ],
    });
  });

  it("are left alone by an equal list, restarted when they changed, stopped when no longer listed", async () => {
    const idle = applicationOf("web", "exec sleep 600");
    const [first] = await start(1, idle);
    expect(await start(2, idle)).toEqual([first]);
    const [changed] = await start(3, { ...idle, environment: { NEW: "1" } });
    expect(changed?.pid).not.toBe(first?.pid);
    expect(identifyProcess(first!.pid)).toBeNull();
    expect(await start(4)).toEqual([]);
    expect(identifyProcess(changed!.pid)).toBeNull();
  });

  it("are restarted after a crash, with notices of both", async () => {
    await client.call({ op: "subscribe", after: 0 });
    const [web] = await start(1, applicationOf("web", "echo $$ >> starts; exec sleep 600"));
    await appFile("starts");
    process.kill(web!.pid, "SIGSEGV");
    const restarted = await until(
      () => client.notices.find((notice) => notice.kind === "application-restarted") ?? false,
      "the restart is told",
    );
    const exited = client.notices.find((notice) => notice.kind === "application-exited");
    expect(exited?.detail).toMatchObject({ application: "web", pid: web?.pid, signal: "SIGSEGV" });
    expect(restarted.detail).toMatchObject({ application: "web", restarts: 1 });
    const health = await client.call({ op: "health" });
    expect(health.applications[0]).toMatchObject({ restarts: 1, pid: restarted.detail["pid"] });
  });

  it("outlive an agent that is killed, and are taken over by the next one", async () => {
    const [web] = await start(1, applicationOf("web", "exec sleep 600"));
    await host.kill();
    expect(identifyProcess(web!.pid)).not.toBeNull();
    await host.start();
    client = await host.open();
    expect((await client.call({ op: "health" })).applications).toEqual([{ name: "web", pid: web?.pid, restarts: 0 }]);

    await client.call({ op: "subscribe", after: 0 });
    process.kill(web!.pid, "SIGKILL");
    await until(() => client.notices.some((notice) => notice.kind === "application-restarted"), "it is watched");
    const [adopted] = (await client.call({ op: "health" })).applications;
    expect(adopted?.pid).not.toBe(web?.pid);
  });

  it("that ended while no agent ran are started by the next one", async () => {
    const [web] = await start(1, applicationOf("web", "exec sleep 600"));
    await host.kill();
    process.kill(web!.pid, "SIGKILL");
    await until(() => identifyProcess(web!.pid) === null, "the process is gone");
    await host.start();
    client = await host.open();
    const [again] = (await client.call({ op: "health" })).applications;
    expect(again?.pid).not.toBeNull();
    expect(again?.restarts).toBe(1);
  });

  it("learn of new configuration by signal, by restart, or not at all", async () => {
    const onHangUp = `trap 'echo reloaded >> hup' HUP; echo up > ready; while :; do sleep 0.02; done`;
    const [signalled, restarted, left] = await start(
      1,
      applicationOf("signalled", onHangUp),
      applicationOf("restarted", "exec sleep 600", { reload: "restart" }),
      applicationOf("left", "exec sleep 600", { reload: "none" }),
    );
    await appFile("ready");
    expect(await client.call({ op: "reload", fence: 1 })).toEqual({ reloaded: ["signalled", "restarted"] });
    expect(await appFile("hup")).toBe("reloaded");
    const pids = async () => (await client.call({ op: "health" })).applications.map((one) => one.pid);
    const now = await pids();
    expect([now[0], now[2]]).toEqual([signalled?.pid, left?.pid]);
    expect(now[1]).not.toBe(restarted?.pid);
    const all = await client.call({ op: "reload", fence: 1, hook: "restart" });
    expect(all.reloaded).toEqual(["signalled", "restarted", "left"]);
    expect((await pids())[2]).not.toBe(left?.pid);
  });

  it("that ignore SIGTERM are killed with their children after the grace", async () => {
    const stubborn = `trap '' TERM; sleep 600 & echo $! > child; while :; do sleep 0.1; done`;
    const [web] = await start(1, applicationOf("web", stubborn, { stopGraceMs: 200 }));
    const child = Number(await appFile("child"));
    expect(await client.call({ op: "stop", fence: 1 })).toEqual({ stopped: ["web"] });
    expect(identifyProcess(web!.pid)).toBeNull();
    await until(() => identifyProcess(child) === null, "the child is gone");
    await host.kill();
    await host.start();
    client = await host.open();
    expect((await client.call({ op: "health" })).applications).toEqual([]);
  });

  it("report a folder that is not there", async () => {
    const lost = applicationOf("web", "true", { directory: "/not/there" });
    expect(await client.codeOf({ op: "start", fence: 1, applications: [lost] })).toBe("COMMAND_FAILED");
    expect(await client.codeOf({ op: "start", fence: 1, applications: [{ ...lost, name: "../x" }] })).toBe(
      "INVALID_REQUEST",
    );
  });

  it("write to a log that stays bounded", async () => {
    const chatty = `echo begin; head -c ${limits.agentLogBytesMax * 3} /dev/zero | tr '\\0' x; echo end; exec sleep 600`;
    await start(1, applicationOf("web", chatty));
    const log = join(host.state, "logs/web.log");
    const size = (path: string) => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    await until(() => size(`${log}.1`) > 0 && size(log) < limits.agentLogBytesMax, "the log was moved aside");
    await until(
      () => (readFileSync(`${log}.1`, "utf8") + readFileSync(log, "utf8")).endsWith("end\n"),
      "the end is kept",
    );
    expect(size(`${log}.1`)).toBeLessThanOrEqual(limits.agentLogBytesMax);
  });
});
