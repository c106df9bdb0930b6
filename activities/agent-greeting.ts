import { Context } from "@temporalio/activity";
import { ForewarmError, isForewarmError } from "../domain/errors.ts";
import type { HostEndpoint } from "../domain/host/host-endpoint.ts";
import type { NodeChannel } from "../providers/node/node-channel.ts";
import { agentProtocolVersion, agentStartCommand } from "../schema/agent-protocol.ts";

const startTimeoutMs = 10_000;
const helloTimeoutMs = 5_000;
const pollMs = 20;

async function sayHello(channel: NodeChannel, endpoint: HostEndpoint): Promise<void> {
  const options = { timeoutMs: helloTimeoutMs, signal: Context.current().cancellationSignal };
  await channel.call(endpoint, { op: "hello", protocol: agentProtocolVersion }, options);
}

/** Starts the daemon and ends when it answers; a no-op where one runs. Throws HOST_UNREACHABLE. */
export async function startAgent(channel: NodeChannel, endpoint: HostEndpoint): Promise<void> {
  const signal = Context.current().cancellationSignal;
  await channel.run(endpoint, { command: agentStartCommand, timeoutMs: startTimeoutMs, signal });
  const deadlineMs = Date.now() + startTimeoutMs;
  for (;;) {
    const failure = await sayHello(channel, endpoint).then(
      () => null,
      (error: unknown) => error,
    );
    if (failure === null) return;
    if (Date.now() > deadlineMs) {
      const message = `the agent on ${endpoint.hostId} does not answer`;
      throw new ForewarmError("HOST_UNREACHABLE", message, { cause: failure });
    }
    await Context.current().sleep(pollMs);
  }
}

/** Starts the daemon again where it has died on a host that is well otherwise. */
export async function reviveAgent(channel: NodeChannel, endpoint: HostEndpoint): Promise<void> {
  await sayHello(channel, endpoint).catch(async (error: unknown) => {
    if (!isForewarmError(error) || error.code !== "HOST_UNREACHABLE") throw error;
    await startAgent(channel, endpoint);
  });
}
