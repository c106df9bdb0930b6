import type { HostEndpoint } from "../../../domain/host/host-endpoint.ts";
import type { CallOptions, NodeChannel } from "../node-channel.ts";
import { createAgentLinks } from "./agent-links.ts";
import { createConnectionPool } from "./connection-pool.ts";
import { withDeadline } from "./deadline.ts";
import { followNotices } from "./follow-notices.ts";
import type { HostConnection, SshSettings } from "./host-connection.ts";
import { runCommand } from "./run-command.ts";
import { describeHost } from "./ssh-errors.ts";
import { uploadFile } from "./upload-file.ts";

const keepaliveIntervalMsDefault = 500;
const keepaliveMissesMaxDefault = 3;
/** A subscription lives long, but the connection under it must come up within this time. */
const subscribeTimeoutMs = 30_000;

export type SshNodeChannelOptions = Pick<SshSettings, "privateKey"> & Partial<SshSettings>;

/** The channel to hosts over SSH, with one pooled connection and one agent link per host. */
export function createSshNodeChannel(options: SshNodeChannelOptions): NodeChannel {
  const pool = createConnectionPool({
    keepaliveIntervalMs: keepaliveIntervalMsDefault,
    keepaliveMissesMax: keepaliveMissesMaxDefault,
    ...options,
  });
  const links = createAgentLinks();

  const onHost = <T>(
    { endpoint, verb, ...bounds }: CallOptions & { endpoint: HostEndpoint; verb: string },
    work: (connection: HostConnection, signal: AbortSignal) => Promise<T>,
  ): Promise<T> =>
    withDeadline(`${describeHost(endpoint)}: ${verb}`, bounds, async (signal) => {
      const connection = await pool.acquire({ endpoint, timeoutMs: bounds.timeoutMs, signal });
      return work(connection, signal);
    });

  return {
    connect: (endpoint, bounds) => onHost({ ...bounds, endpoint, verb: "connect" }, async () => undefined),
    run: (endpoint, request) =>
      onHost({ ...boundsOf(request), endpoint, verb: "command" }, (connection, signal) =>
        runCommand(connection, request, signal),
      ),
    upload: (endpoint, request) =>
      onHost({ ...boundsOf(request), endpoint, verb: `upload of ${request.path}` }, (connection, signal) =>
        uploadFile(connection, request, signal),
      ),
    call: (endpoint, request, bounds) =>
      onHost({ ...bounds, endpoint, verb: request.op }, async (connection, signal) => {
        const link = await links.get(connection, signal);
        return link.request(request, signal);
      }),
    async notices(endpoint, onNotice, { signal }) {
      const bounds = { timeoutMs: subscribeTimeoutMs, signal };
      try {
        const link = await onHost({ ...bounds, endpoint, verb: "notices" }, (connection, untilOpen) =>
          links.get(connection, untilOpen),
        );
        await followNotices(link, onNotice, signal);
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    },
    close: (hostId) => pool.close(hostId),
    closeAll: () => pool.closeAll(),
  };
}

function boundsOf({ timeoutMs, signal }: CallOptions): CallOptions {
  return { timeoutMs, ...(signal === undefined ? {} : { signal }) };
}
