import { ForewarmError, isForewarmError } from "../../../domain/errors.ts";
import { agentProtocolVersion } from "../../../schema/agent-protocol.ts";
import { type AgentLink, createAgentLink } from "./agent-link.ts";
import { openAgentStream } from "./agent-stream.ts";
import { unlessAborted, withDeadline } from "./deadline.ts";
import type { HostConnection } from "./host-connection.ts";
import { describeHost } from "./ssh-errors.ts";

const openTimeoutMs = 10_000;

export interface AgentLinks {
  /** The one link to the agent over a connection, opened when there is none. */
  get(connection: HostConnection, signal: AbortSignal): Promise<AgentLink>;
}

export function createAgentLinks(): AgentLinks {
  const links = new WeakMap<HostConnection, Promise<AgentLink>>();
  const open = (connection: HostConnection): Promise<AgentLink> => {
    const opening = openLink(connection);
    const forget = () => {
      if (links.get(connection) === opening) links.delete(connection);
    };
    opening.then((link) => link.closed.addEventListener("abort", forget, { once: true }), forget);
    links.set(connection, opening);
    return opening;
  };
  return { get: (connection, signal) => unlessAborted(signal, links.get(connection) ?? open(connection)) };
}

function openLink(connection: HostConnection): Promise<AgentLink> {
  const host = describeHost(connection.endpoint);
  return withDeadline(host, { timeoutMs: openTimeoutMs, signal: connection.lost }, async (signal) => {
    const link = createAgentLink(host, await openAgentStream(connection, signal));
    try {
      await greet(host, link, signal);
      return link;
    } catch (error) {
      link.close();
      throw connection.lost.aborted ? error : noAgent(error);
    }
  });
}

async function greet(host: string, link: AgentLink, signal: AbortSignal): Promise<void> {
  const { protocol } = await link.request({ op: "hello", protocol: agentProtocolVersion }, signal);
  if (Math.abs(protocol - agentProtocolVersion) <= 1) return;
  throw new ForewarmError("AGENT_PROTOCOL", `${host}: agent speaks ${protocol}, we speak ${agentProtocolVersion}`);
}

/** A stream that opens and then closes or stays silent means that no agent listens behind it. */
function noAgent(error: unknown): unknown {
  if (!isForewarmError(error) || (error.code !== "CHANNEL_LOST" && error.code !== "COMMAND_TIMED_OUT")) return error;
  return new ForewarmError("HOST_UNREACHABLE", `${error.message} (does the agent run?)`, { cause: error });
}
