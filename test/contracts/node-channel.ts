import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { HostEndpoint } from "../../domain/host/host-endpoint.ts";
import type { NodeChannel } from "../../providers/node/node-channel.ts";
import type { AgentNotice } from "../../schema/agent-protocol.ts";
import { failureOf, until } from "../agent/agent-fixture.ts";

export interface NodeChannelHarness {
  channel: NodeChannel;
  endpoint: HostEndpoint;
  /** Folder that stands for `/` of the host. */
  root: string;
  /** A channel whose key the host does not know. */
  stranger: NodeChannel;
  /** A place where nothing listens. */
  nowhere: HostEndpoint;
  dispose(): Promise<void>;
}

const bounds = { timeoutMs: 10_000 };

/** What every channel promises; the host runs a real agent on which nothing is installed. */
export function describeNodeChannel(name: string, makeHarness: () => Promise<NodeChannelHarness>): void {
  describe(`NodeChannel contract: ${name}`, () => {
    let harness: NodeChannelHarness;
    beforeAll(async () => {
      harness = await makeHarness();
    });
    afterAll(() => harness.dispose());

    describe("connect", () => {
      it("opens a host with the recorded key, also twice", async () => {
        await harness.channel.connect(harness.endpoint, bounds);
        await expect(harness.channel.connect(harness.endpoint, bounds)).resolves.toBeUndefined();
      });

      it("refuses a host that shows another key", async () => {
        const changed = { ...harness.endpoint, hostId: "changed", hostKeyFingerprint: `SHA256:${"A".repeat(43)}` };
        const refused = harness.channel.connect(changed, bounds);
        await expect(refused).rejects.toMatchObject({ code: "HOST_KEY_CHANGED", retryable: false });
        await expect(harness.channel.run(changed, { command: "true", ...bounds })).rejects.toMatchObject({
          code: "HOST_KEY_CHANGED",
        });
      });

      it("reports a refused key and an absent host apart", async () => {
        await expect(harness.stranger.connect(harness.endpoint, bounds)).rejects.toMatchObject({
          code: "UNAUTHORIZED",
          retryable: false,
        });
        await expect(harness.channel.connect(harness.nowhere, bounds)).rejects.toMatchObject({
          code: "HOST_UNREACHABLE",
          retryable: true,
        });
      });
    });

    describe("run", () => {
      const run = (command: string, more = {}) =>
        harness.channel.run(harness.endpoint, { command, ...bounds, ...more });

      it("returns output and exit code, also of a command that fails", async () => {
        const result = await run("echo out; echo err >&2; exit 3");
        expect(result).toMatchObject({ exitCode: 3, stdout: "out\n", stderr: "err\n" });
        expect(await run("echo fine >&2")).toMatchObject({ exitCode: 0, stderr: "fine\n" });
        expect(await run("kill -TERM $$")).toMatchObject({ exitCode: 143 });
      });

      it("feeds standard input and ends it", async () => {
        expect(await run("cat", { stdin: "größe 'quoted' $HOME" })).toMatchObject({ stdout: "größe 'quoted' $HOME" });
        expect(await run("cat")).toMatchObject({ exitCode: 0, stdout: "" });
      });

      it("kills the whole remote process group at the deadline", async () => {
        const command = "sleep 600 & echo $! > pids.late; echo $$ >> pids.late; wait";
        const late = run(`cd "$FOREWARM_ROOT/opt/app"; ${command}`, { timeoutMs: 1000 });
        await expect(late).rejects.toMatchObject({ code: "COMMAND_TIMED_OUT" });
        await expectDead(harness, "late");
      });

      it("kills the remote process group on cancellation, with input too", async () => {
        const controller = new AbortController();
        const command = `cd "$FOREWARM_ROOT/opt/app" && cat >/dev/null && echo $$ > pids.cancelled && exec sleep 600`;
        const cancelled = run(command, { signal: controller.signal, stdin: "x".repeat(10_000) });
        const outcome = failureOf(cancelled);
        await until(() => readPids(harness.root, "cancelled").length > 0, "the command wrote its pid");
        controller.abort();
        expect(await outcome).toMatchObject({ code: "CANCELLED", retryable: false });
        await expectDead(harness, "cancelled");
      });
    });

    describe("upload", () => {
      it("writes content and mode, and replaces what is there", async () => {
        const path = "/opt/some app/it's.bin";
        const upload = (content: Buffer, mode: number) =>
          harness.channel.upload(harness.endpoint, { path, content, mode, ...bounds });
        await upload(Buffer.alloc(300_000, "a\0ÿ"), 0o640);
        await upload(Buffer.from("second"), 0o600);
        expect(readFileSync(join(harness.root, path), "utf8")).toBe("second");
        expect(statSync(join(harness.root, path)).mode & 0o777).toBe(0o600);
        await upload(Buffer.alloc(0), 0o644);
        expect(readFileSync(join(harness.root, path)).length).toBe(0);
      });

      it("reports a place that cannot be written", async () => {
        await harness.channel.run(harness.endpoint, { command: `echo x > "$FOREWARM_ROOT/opt/plain-file"`, ...bounds });
        const request = { path: "/opt/plain-file/below", content: Buffer.from("x"), mode: 0o644, ...bounds };
        await expect(harness.channel.upload(harness.endpoint, request)).rejects.toMatchObject({
          code: "COMMAND_FAILED",
        });
      });
    });

    describe("call", () => {
      it("exchanges requests with the agent, many at once", async () => {
        const hello = await harness.channel.call(harness.endpoint, { op: "hello", protocol: 1 }, bounds);
        expect(hello).toMatchObject({ protocol: 1, epoch: 0 });
        const asked = Array.from({ length: 50 }, (_, index) => index.toString(16).padStart(64, "0"));
        const answers = await Promise.all(
          asked.map((sha256) => harness.channel.call(harness.endpoint, { op: "missing", sha256: [sha256] }, bounds)),
        );
        expect(answers.map((answer) => answer.sha256[0])).toEqual(asked);
      });

      it("throws the error that the agent answers with", async () => {
        const endpoint = harness.endpoint;
        await harness.channel.call(endpoint, { op: "start", fence: 7, applications: [] }, bounds);
        const lower = harness.channel.call(endpoint, { op: "stop", fence: 6 }, bounds);
        await expect(lower).rejects.toMatchObject({ code: "FENCE_REFUSED", retryable: false });
      });

      it("ends when it is cancelled", async () => {
        const signal = AbortSignal.abort();
        const cancelled = harness.channel.call(harness.endpoint, { op: "health" }, { ...bounds, signal });
        await expect(cancelled).rejects.toMatchObject({ code: "CANCELLED" });
      });
    });

    describe("notices", () => {
      it("delivers again what a handler failed on, and acknowledges what it took", async () => {
        const seen: AgentNotice[] = [];
        const controller = new AbortController();
        const take = async (notice: AgentNotice) => {
          seen.push(notice);
          if (seen.length === 1) throw new Error("not stored");
          controller.abort();
        };
        await harness.channel.notices(harness.endpoint, take, { signal: controller.signal });
        expect(seen.map((notice) => notice.kind)).toEqual(["agent-started", "agent-started"]);
        expect(seen[0]?.number).toBe(seen[1]?.number);

        const rest = new AbortController();
        const taken: number[] = [];
        const following = harness.channel.notices(harness.endpoint, async (notice) => void taken.push(notice.number), {
          signal: rest.signal,
        });
        await until(() => taken.length > 0, "the notice that was not acknowledged comes again");
        rest.abort();
        await following;
        expect(taken).toEqual([seen[0]?.number]);
      });
    });

    it("opens a closed host again", async () => {
      await harness.channel.close(harness.endpoint.hostId);
      await harness.channel.close("never-seen");
      expect(await harness.channel.run(harness.endpoint, { command: "echo again", ...bounds })).toMatchObject({
        stdout: "again\n",
      });
    });
  });
}

function readPids(root: string, name: string): number[] {
  try {
    return readFileSync(join(root, `opt/app/pids.${name}`), "utf8")
      .trim()
      .split("\n")
      .map(Number);
  } catch {
    return [];
  }
}

/** Soon, and not only when the host's own bound ends the command seconds later. */
async function expectDead({ channel, endpoint, root }: NodeChannelHarness, name: string): Promise<void> {
  const pids = readPids(root, name);
  expect(pids.length).toBeGreaterThan(0);
  const command = pids.map((pid) => `grep -q '^State:[^Z]*$' /proc/${pid}/status`).join(" || ");
  const noneRuns = async () => (await channel.run(endpoint, { command, ...bounds })).exitCode !== 0;
  await until(noneRuns, `processes ${pids.join(", ")} are gone`, 3000);
}
