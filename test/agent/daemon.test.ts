import { spawn } from "node:child_process";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { agentVersion, protocol } from "../../agent/answer.ts";
import { agentProtocolVersion, agentRequestSchema } from "../../schema/agent-protocol.ts";
import { type AgentHost, bundleAgent, makeAgentHost, until } from "./agent-fixture.ts";

let bundle: string;
let host: AgentHost;

beforeAll(async () => {
  bundle = await bundleAgent();
});
beforeEach(() => {
  host = makeAgentHost(bundle);
});
afterEach(() => host.dispose());

async function runAgent(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [bundle, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const exited = new Promise<number>((resolve) => child.once("close", (code) => resolve(code ?? -1)));
  const [code, stdout, stderr] = await Promise.all([exited, text(child.stdout), text(child.stderr)]);
  return { code, stdout, stderr };
}

describe("the agent program", () => {
  it("names the versions that the worker expects", async () => {
    const pack: unknown = JSON.parse(readFileSync(join(import.meta.dirname, "../../package.json"), "utf8"));
    expect(pack).toMatchObject({ version: agentVersion });
    expect(protocol).toBe(agentProtocolVersion);
    expect(await runAgent("version")).toMatchObject({ code: 0, stdout: `${agentVersion}\n` });
    expect(await runAgent("dance")).toMatchObject({ code: 2 });
  });

  it("refuses a second daemon on one state folder, naming the pid that holds it", async () => {
    await host.start();
    const second = await runAgent("daemon", "--state", host.state);
    expect(second.code).toBe(1);
    expect(second.stderr).toContain(`pid ${host.daemon?.pid}`);
    expect((await (await host.open()).call({ op: "health" })).fence).toBe(0);
  });

  it("takes over the socket and lock of a daemon that was killed, and removes its own on SIGTERM", async () => {
    await host.start();
    await host.kill();
    expect(existsSync(join(host.state, "agent.sock"))).toBe(true);
    await host.start();
    host.daemon?.kill("SIGTERM");
    await until(() => host.daemon?.exitCode === 0, "the daemon ended by itself");
    expect(readdirSync(host.state).filter((name) => /sock|lock/.test(name))).toEqual([]);
  });

  it("joins a channel to the socket by `attach`, and says when there is no daemon", async () => {
    expect(await runAgent("attach", "--state", host.state)).toMatchObject({ code: 1 });
    await host.start();
    const child = spawn(process.execPath, [bundle, "attach", "--state", host.state], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const first = new Promise<string>((resolve) => child.stdout.once("data", (chunk) => resolve(String(chunk))));
    child.stdin.write(`{"id":1,"op":"hello","protocol":1}\n`);
    expect(JSON.parse(await first)).toMatchObject({ id: 1, ok: true });
    const exited = new Promise((resolve) => child.once("exit", resolve));
    child.stdin.end();
    expect(await exited).toBe(0);
  });
});

describe("the protocol", () => {
  beforeEach(() => host.start());

  it("greets a worker one version apart, and refuses one further away", async () => {
    const client = await host.open();
    expect(await client.call({ op: "hello", protocol: protocol - 1 })).toMatchObject({ protocol });
    expect(await client.call({ op: "hello", protocol: protocol + 1 })).toMatchObject({ protocol });
    expect(await client.codeOf({ op: "hello", protocol: protocol + 2 })).toBe("AGENT_PROTOCOL");
  });

  it("knows every operation of the schema, and takes fields it does not know", async () => {
    const client = await host.open();
    const operations = agentRequestSchema.options.map((option) => option.shape.op.value);
    for (const op of operations) expect(await client.codeOf({ op })).not.toBe("AGENT_PROTOCOL");
    expect(await client.codeOf({ op: "dance" })).toBe("AGENT_PROTOCOL");
    expect(await client.codeOf({ op: "health", later: true })).toBe("ok");
    expect(await client.codeOf({ op: "missing", sha256: ["../../etc/passwd"] })).toBe("INVALID_REQUEST");
  });

  it("closes a channel that sends no frames, and goes on serving others", async () => {
    const client = await host.open();
    for (const garbage of ["not json\n", `{"op":"health"}\n`, "x".repeat(2 * 1024 * 1024)]) {
      const socket = connect(join(host.state, "agent.sock"));
      const closed = new Promise((resolve) => socket.once("close", resolve));
      socket.on("error", () => undefined).write(garbage);
      await closed;
    }
    expect(await client.codeOf({ op: "health" })).toBe("ok");
  });
});

describe("the outbox", () => {
  it("delivers until acknowledged, over restarts, and never gives a number twice", async () => {
    await host.start();
    const first = await host.open();
    await first.call({ op: "subscribe", after: 0 });
    await until(() => first.notices.length === 1, "the start is told");
    await host.kill();
    await host.start();
    const second = await host.open();
    await second.call({ op: "subscribe", after: 0 });
    await until(() => second.notices.length === 2, "both starts are told");
    expect(second.notices.map((notice) => notice.number)).toEqual([1, 2]);
    await second.call({ op: "acknowledge", through: 2 });
    await host.kill();
    await host.start();
    const third = await host.open();
    await third.call({ op: "subscribe", after: 0 });
    await until(() => third.notices.length === 1, "only the new start is told");
    expect(third.notices[0]).toMatchObject({ number: 3, kind: "agent-started" });
  });
});
