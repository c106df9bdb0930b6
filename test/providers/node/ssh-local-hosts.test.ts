import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { HostEndpoint } from "../../../domain/host/host-endpoint.ts";
import { rootFolder } from "../../../providers/compute/local/host-root.ts";
import type { NodeChannel } from "../../../providers/node/node-channel.ts";
import { createSshNodeChannel } from "../../../providers/node/ssh/ssh-node-channel.ts";
import {
  agentBundlePath,
  agentSettingsPath,
  agentSettingsSchema,
  agentStartCommand,
} from "../../../schema/agent-protocol.ts";
import {
  applicationOf,
  bundleAgent,
  fleet,
  freePort,
  makeSigningKey,
  manifestOf,
  sha256,
  until,
} from "../../agent/agent-fixture.ts";
import { describeNodeChannel } from "../../contracts/node-channel.ts";
import { loginKey, openRack, type RackSettings } from "../compute/local-rack.ts";
import { makeKeyPair } from "./ssh-server-fixture.ts";

const hasBwrap = spawnSync("bwrap", ["--unshare-user", "--ro-bind", "/", "/", "true"]).status === 0;
const bounds = { timeoutMs: 10_000 };
const signingKey = makeSigningKey();

/** Puts the agent on a host in the way a bootstrap does. */
async function bootstrapAgent(channel: NodeChannel, endpoint: HostEndpoint): Promise<void> {
  const bundle = readFileSync(await bundleAgent());
  const settings = agentSettingsSchema.parse({ fleet, signingKeys: [signingKey.publicKey], hooks: ["reload"] });
  const content = Buffer.from(JSON.stringify(settings));
  await channel.upload(endpoint, { path: agentBundlePath, content: bundle, mode: 0o644, ...bounds });
  await channel.upload(endpoint, { path: agentSettingsPath, content, mode: 0o600, ...bounds });
  await channel.run(endpoint, { command: agentStartCommand, ...bounds });
  const answers = () => channel.call(endpoint, { op: "hello", protocol: 1 }, bounds).catch(() => false as const);
  await until(answers, "the agent answers");
}

async function openLocalHost(isolation: RackSettings["isolation"]) {
  const rack = await openRack({ isolation, addresses: "loopback-range" });
  const [machine] = await rack.launchRunning("node");
  const endpoint = machine!.endpoint!;
  const channel = createSshNodeChannel({ privateKey: loginKey });
  await until(
    () =>
      channel.connect(endpoint, bounds).then(
        () => true,
        () => false,
      ),
    "the host accepts connections",
  );
  await bootstrapAgent(channel, endpoint);
  return { rack, machine: machine!, endpoint, channel };
}

for (const isolation of ["none", "bwrap"] as const) {
  describe.skipIf(isolation === "bwrap" && !hasBwrap)(
    `local hosts, isolation ${isolation} (needs bwrap for bwrap)`,
    () => {
      describeNodeChannel(`local host, isolation ${isolation}`, async () => {
        const { rack, machine, endpoint, channel } = await openLocalHost(isolation);
        const stranger = createSshNodeChannel({ privateKey: makeKeyPair().private });
        return {
          channel,
          stranger,
          endpoint,
          nowhere: { ...endpoint, hostId: "nowhere", address: "127.0.0.1", sshPort: await freePort() },
          root: rootFolder(rack.home, machine.machineId),
          async dispose() {
            await Promise.all([channel.closeAll(), stranger.closeAll()]);
            await rack.end();
          },
        };
      });

      it("install, start, prove, and lose every process with the machine", async () => {
        const { rack, machine, endpoint, channel } = await openLocalHost(isolation);
        const files = { "app.json": `{"greeting":"hi"}` };
        const content = Buffer.from(files["app.json"]).toString("base64");
        const put = { op: "put" as const, sha256: sha256(files["app.json"]), index: 0, count: 1, content };
        await channel.call(endpoint, put, bounds);
        const signed = signingKey.sign(manifestOf(1, files));
        await channel.call(endpoint, { op: "install", fence: 1, signed }, bounds);
        const server = `require("node:http").createServer((_, response) => response.end(require("node:fs").readFileSync(process.env.FOREWARM_CONFIGURATION + "/app.json"))).listen(process.env.FOREWARM_PORT, process.env.FOREWARM_ADDRESS)`;
        const web = applicationOf("web", "", { command: ["node", "-e", server] });
        await channel.call(endpoint, { op: "start", fence: 1, applications: [web] }, bounds);
        const http = { kind: "http" as const, port: web.port, path: "/", status: 200, body_match: "hi" };
        const checks = [http, { kind: "process" as const, application: "web" }, { kind: "digest" as const }];
        const proven = async () => (await channel.call(endpoint, { op: "verify", checks }, bounds)).passed;
        await until(proven, "every check passes");
        expect((await fetch(`http://${endpoint.address}:${endpoint.servicePort}/`)).status).toBe(200);

        await rack.provider.terminate([machine.machineId]);
        const gone = () =>
          fetch(`http://${endpoint.address}:${endpoint.servicePort}/`).then(
            () => false,
            () => true,
          );
        await until(gone, "the workload ended with its machine");
        await channel.closeAll();
        await rack.end();
      });
    },
  );
}
