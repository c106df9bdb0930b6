import { createHash } from "node:crypto";
import { Context } from "@temporalio/activity";
import type { HostEndpoint } from "../domain/host/host-endpoint.ts";
import { ForewarmError } from "../domain/errors.ts";
import type { NodeChannel } from "../providers/node/node-channel.ts";
import type { AgentSettings } from "../schema/agent-protocol.ts";
import { agentBundlePath, agentSettingsPath } from "../schema/agent-protocol.ts";
import type { BootstrapArguments } from "../workflows/messages.ts";
import { startAgent } from "./agent-greeting.ts";

const agentPollMs = 20;
const callTimeoutMs = 30_000;
const uploadTimeoutMs = 60_000;

/** The agent and the applications of a host. */
export interface HostSoftware {
  /** Puts agent and settings on the host and starts the daemon; ends when the daemon answers. */
  stageAgent: (endpoint: HostEndpoint, args: BootstrapArguments) => Promise<void>;
  startApplications: (endpoint: HostEndpoint, args: BootstrapArguments) => Promise<void>;
}

/** Tells a host's agent its fleet and whose signatures it takes; read at each install. */
export async function uploadSettings(
  channel: NodeChannel,
  endpoint: HostEndpoint,
  { fleet, signingKeys }: Pick<BootstrapArguments, "fleet" | "signingKeys">,
): Promise<void> {
  const settings: AgentSettings = { fleet, signingKeys, hooks: ["reload", "restart"] };
  const content = Buffer.from(`${JSON.stringify(settings, null, 2)}\n`);
  const signal = Context.current().cancellationSignal;
  await channel.upload(endpoint, { path: agentSettingsPath, content, mode: 0o644, timeoutMs: uploadTimeoutMs, signal });
}

/** A started process is not yet a listening one; waiting here spares the verification its first, failing try. */
async function untilListening(channel: NodeChannel, endpoint: HostEndpoint, args: BootstrapArguments): Promise<void> {
  const options = { timeoutMs: callTimeoutMs, signal: Context.current().cancellationSignal };
  const checks = args.template.applications.map(({ port }) => ({ kind: "tcp" as const, port }));
  const deadlineMs = Date.now() + args.template.bootstrap.deadline_seconds.start * 1000;
  for (;;) {
    const { passed, evidence } = await channel.call(endpoint, { op: "verify", checks }, options);
    if (passed) return;
    if (Date.now() > deadlineMs) {
      const closed = evidence.filter((check) => !check.passed).map((check) => check.detail);
      throw new ForewarmError("VERIFY_FAILED", `${endpoint.hostId} does not listen: ${closed.join("; ")}`);
    }
    await Context.current().sleep(agentPollMs);
  }
}

export function createHostSoftware({
  channel,
  agentBundle,
}: {
  channel: NodeChannel;
  agentBundle: Buffer;
}): HostSoftware {
  const sha256 = createHash("sha256").update(agentBundle).digest("hex");

  async function hasBundle(endpoint: HostEndpoint, signal: AbortSignal): Promise<boolean> {
    const command = `sha256sum "$FOREWARM_ROOT${agentBundlePath}" 2>/dev/null || true`;
    const result = await channel.run(endpoint, { command, timeoutMs: 10_000, signal });
    return result.stdout.startsWith(sha256);
  }

  return {
    async stageAgent(endpoint, args) {
      const signal = Context.current().cancellationSignal;
      const upload = { timeoutMs: uploadTimeoutMs, signal };
      if (!(await hasBundle(endpoint, signal))) {
        await channel.upload(endpoint, { path: agentBundlePath, content: agentBundle, mode: 0o755, ...upload });
      }
      await uploadSettings(channel, endpoint, args);
      await startAgent(channel, endpoint);
    },

    async startApplications(endpoint, args) {
      const applications = args.template.applications.map((application) => ({
        name: application.name,
        command: application.command,
        directory: application.directory,
        port: application.port,
        environment: { FOREWARM_HOST_ID: args.hostId, ...application.environment },
        reload: application.reload,
        stopGraceMs: application.stop_grace_seconds * 1000,
      }));
      const options = { timeoutMs: callTimeoutMs, signal: Context.current().cancellationSignal };
      await channel.call(endpoint, { op: "start", fence: args.fence, applications }, options);
      await untilListening(channel, endpoint, args);
    },
  };
}
