import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { identifyProcess } from "../../../agent/process-identity.ts";
import { limits } from "../../../domain/limits.ts";
import type { NodeChannel } from "../../../providers/node/node-channel.ts";
import { createSshNodeChannel } from "../../../providers/node/ssh/ssh-node-channel.ts";
import { failureOf, until } from "../../agent/agent-fixture.ts";
import { makeKeyPair, type SshServerFixture, type SshServerOptions, startSshServer } from "./ssh-server-fixture.ts";

const key = makeKeyPair();
const bounds = { timeoutMs: 20_000 };
let root: string;
let server: SshServerFixture;
let channel: NodeChannel;

async function serve(options: Partial<SshServerOptions> = {}): Promise<void> {
  server = await startSshServer({ allowedKey: key, root, ...options });
}

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "fw-traps-"));
  channel = createSshNodeChannel({ privateKey: key.private });
});
afterEach(async () => {
  await channel.closeAll();
  await server.stop();
  rmSync(root, { recursive: true, force: true });
});

const run = (command: string, more = {}) => channel.run(server.endpoint, { command, ...bounds, ...more });
const pidIn = (name: string) => until(() => readNumber(join(root, name)), `${name} holds a pid`);

function readNumber(path: string): number | false {
  try {
    return Number(readFileSync(path, "utf8").trim()) || false;
  } catch {
    return false;
  }
}

describe("traps of SSH", () => {
  it("1: a connection lost in mid-command is an error that can be retried, never a result", async () => {
    await serve();
    const lost = run(`echo $$ > "$FOREWARM_ROOT/pid"; exec sleep 600`);
    const outcome = failureOf(lost);
    await pidIn("pid");
    server.resetConnections();
    expect(await outcome).toMatchObject({ code: "CHANNEL_LOST", retryable: true });
    expect(await run("echo back")).toMatchObject({ stdout: "back\n" });
  });

  it("1: a channel that closes without an exit status is an error too", async () => {
    await serve();
    const lost = run(`echo $$ > "$FOREWARM_ROOT/pid"; exec sleep 600`);
    const outcome = failureOf(lost);
    await pidIn("pid");
    server.closeSessions();
    expect(await outcome).toMatchObject({ code: "CHANNEL_LOST" });
  });

  it("2: a host that freezes is noticed by keep-alive, long before the deadline", async () => {
    await serve();
    channel = createSshNodeChannel({ privateKey: key.private, keepaliveIntervalMs: 100 });
    const frozen = run(`echo $$ > "$FOREWARM_ROOT/pid"; exec sleep 600`);
    const outcome = failureOf(frozen);
    await pidIn("pid");
    const startedMs = performance.now();
    server.freeze();
    expect(await outcome).toMatchObject({ code: "CHANNEL_LOST" });
    expect(performance.now() - startedMs).toBeLessThan(5000);
  });

  it("3: closing a channel leaves its process alive, so cancellation kills it first", async () => {
    await serve();
    const controller = new AbortController();
    const cancelled = run(`echo $$ > "$FOREWARM_ROOT/pid"; exec sleep 600`, { signal: controller.signal });
    const outcome = failureOf(cancelled);
    const pid = await pidIn("pid");
    controller.abort();
    expect(await outcome).toMatchObject({ code: "CANCELLED" });
    expect(server.signals).toEqual(["KILL"]);
    await until(() => identifyProcess(pid) === null, "the process is gone");
  });

  it("3: a command whose connection broke ends by itself on the host", async () => {
    await serve();
    const command = `echo $$ > "$FOREWARM_ROOT/pid"; exec sleep 600`;
    const lost = failureOf(run(command, { timeoutMs: 1500 }));
    const pid = await pidIn("pid");
    server.resetConnections();
    expect(await lost).toMatchObject({ code: "CHANNEL_LOST" });
    expect(identifyProcess(pid)).not.toBeNull();
    await until(() => identifyProcess(pid) === null, "timeout(1) ended the orphan");
  });

  it("4: output on standard error does not make a failure, an exit code does not make a success", async () => {
    await serve();
    expect(await run("echo warning >&2")).toMatchObject({ exitCode: 0, stderr: "warning\n" });
    expect(await run("exit 3")).toMatchObject({ exitCode: 3, stderr: "" });
  });

  it("5: a reset of an idle connection does not end this process", async () => {
    await serve();
    await run("true");
    server.resetConnections();
    await until(() => server.open() === 0, "the server saw the connection go");
    expect(await run("echo alive")).toMatchObject({ stdout: "alive\n" });
    expect(server.connections()).toBe(2);
  });

  it("6: the level of an error decides whether it can be retried", async () => {
    await serve();
    const stranger = createSshNodeChannel({ privateKey: makeKeyPair().private });
    const unauthorized = stranger.connect(server.endpoint, bounds);
    await expect(unauthorized).rejects.toMatchObject({ code: "UNAUTHORIZED", retryable: false });
    const malformed = createSshNodeChannel({ privateKey: "no key" });
    await expect(malformed.connect(server.endpoint, bounds)).rejects.toMatchObject({ code: "UNAUTHORIZED" });
    server.freezeNewConnections();
    const silent = channel.connect(server.endpoint, { timeoutMs: 300 });
    await expect(silent).rejects.toMatchObject({ code: "HOST_UNREACHABLE", retryable: true });
  });

  it("7: a command that reads input can still be killed", async () => {
    await serve();
    const command = `cat >/dev/null; echo $$ > "$FOREWARM_ROOT/pid"; exec sleep 600`;
    const late = failureOf(run(command, { stdin: "input", timeoutMs: 1000 }));
    const pid = await pidIn("pid");
    expect(await late).toMatchObject({ code: "COMMAND_TIMED_OUT" });
    await until(() => identifyProcess(pid) === null, "the process is gone");
  });

  it("turns Nagle's algorithm off on every connection", async () => {
    await serve();
    const setNoDelay = vi.spyOn(Socket.prototype, "setNoDelay");
    await channel.connect(server.endpoint, bounds);
    const toServer = setNoDelay.mock.contexts.map(
      (socket) => socket instanceof Socket && socket.remotePort === server.endpoint.sshPort,
    );
    setNoDelay.mockRestore();
    expect(toServer).toContain(true);
  });

  it("never opens more channels on a connection than a default server allows", async () => {
    await serve({ sessionsMax: limits.sshChannelsPerHostMax });
    const results = await Promise.all(Array.from({ length: 30 }, (_, index) => run(`echo ${index}`)));
    expect(results.map((result) => result.stdout.trim())).toEqual(results.map((_, index) => String(index)));
    expect(server.connections()).toBe(1);
    expect(server.refusedSessions()).toBe(0);
    expect(server.sessionsPeak()).toBeGreaterThan(1);
  });

  it("limits the connects in flight", async () => {
    await serve();
    const hosts = Array.from({ length: limits.sshConnectsInFlightMax + 8 }, (_, index) => ({
      ...server.endpoint,
      hostId: `host-${index}`,
    }));
    await Promise.all(hosts.map((endpoint) => channel.connect(endpoint, bounds)));
    expect(server.connections()).toBe(hosts.length);
    expect(server.connectsPeak()).toBeLessThanOrEqual(limits.sshConnectsInFlightMax);
  });

  it.each([
    ["no recorded key", ""],
    ["another recorded key", `SHA256:${"B".repeat(43)}`],
  ])("refuses a host with %s", async (_what, hostKeyFingerprint) => {
    await serve();
    const refused = channel.connect({ ...server.endpoint, hostKeyFingerprint }, bounds);
    await expect(refused).rejects.toMatchObject({ code: "HOST_KEY_CHANGED", retryable: false });
  });

  it("cuts endless output, and the command still ends", async () => {
    await serve();
    const bytes = limits.commandOutputBytesMax * 3;
    const result = await run(`head -c ${bytes} /dev/zero | tr '\\0' x; exit 5`);
    expect(result.exitCode).toBe(5);
    expect(result.stdout.length).toBeLessThan(limits.commandOutputBytesMax + 100);
    expect(result.stdout).toContain(`[cut: ${bytes} bytes in all]`);
  });

  it("leaves the old file in place when an upload is cut", async () => {
    await serve();
    writeFileSync(join(root, "file"), "old");
    const request = { path: "/file", content: Buffer.alloc(64 * 1024 * 1024), mode: 0o644, ...bounds };
    const cut = failureOf(channel.upload(server.endpoint, request));
    await until(() => server.commands.length > 0, "the upload began");
    server.resetConnections();
    expect(await cut).toMatchObject({ code: "CHANNEL_LOST" });
    await until(() => server.children.size === 0, "the writing command ended");
    expect(readFileSync(join(root, "file"), "utf8")).toBe("old");
  });
});

describe("an agent that misbehaves", () => {
  let agent: Server;
  let answer: (socket: Socket, request: { id: number; op: string }) => void;

  beforeEach(async () => {
    await serve({ socketPath: join(root, "agent.sock") });
    agent = createServer((socket) => {
      socket.setEncoding("utf8").on("data", (text: string) => {
        for (const line of text.trim().split("\n")) answer(socket, JSON.parse(line));
      });
      socket.on("error", () => undefined);
    });
    await new Promise<void>((resolve) => agent.listen(join(root, "agent.sock"), resolve));
  });
  afterEach(() => void agent.close());

  const reply = (socket: Socket, frame: object) => void socket.write(`${JSON.stringify(frame)}\n`);
  const hello = (protocol: number) => ({ protocol, agentVersion: "x", fence: 0, epoch: 0, digest: "", later: true });
  const health = () => channel.call(server.endpoint, { op: "health" }, { timeoutMs: 3000 });
  const healthy = { ready: true, fence: 0, epoch: 0, applications: [] };

  it.each([0, 2])("understands protocol %i, with fields and frames that are new", async (protocol) => {
    answer = (socket, { id, op }) => {
      reply(socket, { news: "from a later version" });
      reply(socket, { id, ok: true, result: op === "hello" ? hello(protocol) : { ...healthy, later: 1 } });
    };
    expect(await health()).toEqual(healthy);
  });

  it("refuses a protocol that is too far apart", async () => {
    answer = (socket, { id }) => reply(socket, { id, ok: true, result: hello(3) });
    await expect(health()).rejects.toMatchObject({ code: "AGENT_PROTOCOL", retryable: false });
  });

  it("maps codes it does not know, and refuses answers of another shape", async () => {
    answer = (socket, { id, op }) =>
      reply(socket, op === "hello" ? { id, ok: true, result: hello(1) } : { id, ok: false, code: "NEW", message: "?" });
    await expect(health()).rejects.toMatchObject({ code: "AGENT_PROTOCOL" });
    answer = (socket, { id }) => reply(socket, { id, ok: true, result: { ready: "yes" } });
    await expect(health()).rejects.toMatchObject({ code: "AGENT_PROTOCOL" });
  });

  it("ends a stream whose frame grows without end, and opens a new one after it", async () => {
    answer = (socket, { id, op }) => {
      if (op === "hello") reply(socket, { id, ok: true, result: hello(1) });
      else socket.write("x".repeat(limits.agentFrameBytesMax + 1));
    };
    await expect(health()).rejects.toMatchObject({ code: "AGENT_PROTOCOL" });
    answer = (socket, { id, op }) => reply(socket, { id, ok: true, result: op === "hello" ? hello(1) : healthy });
    expect(await health()).toEqual(healthy);
  });

  it("gives up on a silent agent at the deadline, and on one that goes away at once", async () => {
    answer = (socket, { id, op }) => {
      if (op === "hello") reply(socket, { id, ok: true, result: hello(1) });
    };
    const silent = channel.call(server.endpoint, { op: "health" }, { timeoutMs: 200 });
    await expect(silent).rejects.toMatchObject({ code: "COMMAND_TIMED_OUT" });
    answer = (socket) => socket.destroy();
    await expect(health()).rejects.toMatchObject({ code: "CHANNEL_LOST" });
    await expect(health()).rejects.toMatchObject({ code: "HOST_UNREACHABLE", retryable: true });
  });
});
