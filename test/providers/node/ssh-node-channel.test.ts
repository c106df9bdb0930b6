import { copyFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createSshNodeChannel } from "../../../providers/node/ssh/ssh-node-channel.ts";
import {
  agentBundlePath,
  agentSettingsPath,
  agentSettingsSchema,
  agentStartCommand,
} from "../../../schema/agent-protocol.ts";
import { bundleAgent, failureOf, freePort, makeAgentHost, until } from "../../agent/agent-fixture.ts";
import { describeNodeChannel, type NodeChannelHarness } from "../../contracts/node-channel.ts";
import { makeKeyPair, startSshServer } from "./ssh-server-fixture.ts";

async function makeHarness(): Promise<NodeChannelHarness> {
  const host = makeAgentHost(await bundleAgent());
  await host.start();
  const key = makeKeyPair();
  const server = await startSshServer({ allowedKey: key, root: host.root });
  const channel = createSshNodeChannel({ privateKey: key.private });
  const stranger = createSshNodeChannel({ privateKey: makeKeyPair().private });
  return {
    channel,
    stranger,
    endpoint: server.endpoint,
    nowhere: { ...server.endpoint, hostId: "nowhere", sshPort: await freePort() },
    root: host.root,
    async dispose() {
      await Promise.all([channel.closeAll(), stranger.closeAll()]);
      await server.stop();
      await host.dispose();
    },
  };
}

describeNodeChannel("ssh with stream-local forward", makeHarness);

describe("without stream-local forwards", () => {
  it("attaches through the agent's own program", async () => {
    const bundle = await bundleAgent();
    const host = makeAgentHost(bundle);
    copyFileSync(bundle, join(host.state, "agent.mjs"));
    await host.start();
    const key = makeKeyPair();
    const server = await startSshServer({ allowedKey: key, root: host.root, streamLocal: "refuse" });
    const channel = createSshNodeChannel({ privateKey: key.private });
    try {
      const hello = await channel.call(server.endpoint, { op: "hello", protocol: 1 }, { timeoutMs: 10_000 });
      expect(hello.protocol).toBe(1);
      expect(server.commands.some((command) => command.includes("attach"))).toBe(true);
      await channel.closeAll();
      await until(() => server.children.size === 0, "the attaching program ended with its channel");
    } finally {
      await channel.closeAll();
      await server.stop();
      await host.dispose();
    }
  });
});

describe("the way a bootstrap puts the agent on a host", () => {
  it("uploads it, starts it, and finds it running after the connection ended", async () => {
    const host = makeAgentHost(await bundleAgent());
    const key = makeKeyPair();
    const server = await startSshServer({ allowedKey: key, root: host.root });
    const channel = createSshNodeChannel({ privateKey: key.private });
    const bounds = { timeoutMs: 10_000 };
    const hello = () => channel.call(server.endpoint, { op: "hello", protocol: 1 }, bounds);
    try {
      const content = readFileSync(host.bundle);
      await channel.upload(server.endpoint, { path: agentBundlePath, content, mode: 0o644, ...bounds });
      const settings = { fleet: "shop", signingKeys: [host.key.publicKey], hooks: ["reload"] };
      const file = Buffer.from(JSON.stringify(agentSettingsSchema.parse(settings)));
      await channel.upload(server.endpoint, { path: agentSettingsPath, content: file, mode: 0o600, ...bounds });
      expect(await failureOf(hello())).toMatchObject({ code: "HOST_UNREACHABLE" });
      expect((await channel.run(server.endpoint, { command: agentStartCommand, ...bounds })).exitCode).toBe(0);
      await until(() => hello().catch(() => false as const), "the agent answers");
      expect(server.commands.filter((command) => command.includes("attach"))).toEqual([]);
      const pid = host.lockedBy();
      await channel.closeAll();
      await channel.run(server.endpoint, { command: agentStartCommand, ...bounds });
      expect(await hello()).toMatchObject({ protocol: 1 });
      expect(host.lockedBy()).toBe(pid);
    } finally {
      await channel.closeAll();
      await server.stop();
      await host.dispose();
    }
  });
});
