import type { Duplex } from "node:stream";
import { ForewarmError } from "../../../domain/errors.ts";
import { agentAttachCommand, agentSocketPath } from "../../../schema/agent-protocol.ts";
import { unlessAborted } from "./deadline.ts";
import type { HostConnection } from "./host-connection.ts";
import { openExec, runCommand } from "./run-command.ts";
import { hostPath } from "./shell.ts";
import { describeHost } from "./ssh-errors.ts";

export interface AgentStream {
  duplex: Duplex;
  /** What the attaching program wrote to its standard error; empty for a forward. */
  complaint(): string;
}

const complaintCharsMax = 300;
const socketCheckTimeoutMs = 5000;

/**
 * Opens a byte stream to the agent's socket: a stream-local forward, or, where the server refuses that,
 * the attaching program in a session channel.
 */
export async function openAgentStream(connection: HostConnection, signal: AbortSignal): Promise<AgentStream> {
  let forwarded = await unlessAborted(signal, forward(connection));
  if (forwarded === null) {
    await requireSocket(connection, signal);
    // The agent may have begun to listen since; a forward costs no process on the host.
    forwarded = await unlessAborted(signal, forward(connection));
  }
  if (forwarded !== null) return { duplex: forwarded, complaint: () => "" };
  const channel = await openExec(connection, agentAttachCommand, signal);
  let complaint = "";
  channel.stderr.on("data", (chunk: Buffer) => {
    complaint = `${complaint}${chunk.toString("utf8")}`.slice(0, complaintCharsMax);
  });
  return { duplex: channel, complaint: () => complaint.trim() };
}

/** Throws HOST_UNREACHABLE when no agent has its socket on the host. */
async function requireSocket(connection: HostConnection, signal: AbortSignal): Promise<void> {
  const command = `test -S ${hostPath(agentSocketPath)}`;
  const { exitCode } = await runCommand(connection, { command, timeoutMs: socketCheckTimeoutMs }, signal);
  if (exitCode === 0) return;
  throw new ForewarmError("HOST_UNREACHABLE", `${describeHost(connection.endpoint)}: no agent runs`);
}

/** A refusal does not tell a forbidden forward from a missing socket, so both give null. */
function forward(connection: HostConnection): Promise<Duplex | null> {
  return new Promise((resolve) => {
    try {
      connection.client.openssh_forwardOutStreamLocal(agentSocketPath, (error, channel) =>
        resolve(error === undefined ? channel : null),
      );
    } catch {
      resolve(null);
    }
  });
}
