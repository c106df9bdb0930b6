import { ForewarmError, isForewarmError } from "../../../domain/errors.ts";
import type { HostEndpoint } from "../../../domain/host/host-endpoint.ts";
import { limits } from "../../../domain/limits.ts";
import { asError, unlessAborted } from "./deadline.ts";
import { type HostConnection, openHostConnection, type SshSettings } from "./host-connection.ts";
import { createSemaphore } from "./semaphore.ts";
import { describeHost } from "./ssh-errors.ts";

export interface Acquire {
  endpoint: HostEndpoint;
  timeoutMs: number;
  signal: AbortSignal;
}

export interface ConnectionPool {
  /** The live connection to a host, opened when there is none; callers that come at once share one attempt. */
  acquire(request: Acquire): Promise<HostConnection>;
  close(hostId: string): Promise<void>;
  closeAll(): Promise<void>;
}

interface Entry {
  endpoint: HostEndpoint;
  connection: Promise<HostConnection>;
}

export function createConnectionPool(settings: SshSettings): ConnectionPool {
  const entries = new Map<string, Entry>();
  const connects = createSemaphore(limits.sshConnectsInFlightMax);

  const open = ({ endpoint, timeoutMs }: Acquire): Entry => {
    const waiting = AbortSignal.timeout(timeoutMs);
    const connection = connects.run(waiting, () => openHostConnection({ endpoint, settings, timeoutMs }));
    const entry = { endpoint, connection };
    const forget = () => {
      if (entries.get(endpoint.hostId) === entry) entries.delete(endpoint.hostId);
    };
    connection.then((opened) => opened.lost.addEventListener("abort", forget, { once: true }), forget);
    entries.set(endpoint.hostId, entry);
    return entry;
  };

  const close = async (hostId: string): Promise<void> => {
    const entry = entries.get(hostId);
    entries.delete(hostId);
    const connection = await entry?.connection.catch(() => undefined);
    connection?.dispose();
  };

  const entryFor = (request: Acquire): Entry => {
    const held = entries.get(request.endpoint.hostId);
    if (held !== undefined && isSamePlace(held.endpoint, request.endpoint)) return held;
    if (held !== undefined) void close(request.endpoint.hostId);
    return open(request);
  };

  return {
    async acquire(request) {
      const entry = entryFor(request);
      try {
        return await unlessAborted(request.signal, entry.connection);
      } catch (error) {
        throw unreachableWhenLate(request.endpoint, asError(error));
      }
    },
    close,
    async closeAll() {
      await Promise.all([...entries.keys()].map(close));
    },
  };
}

function isSamePlace(left: HostEndpoint, right: HostEndpoint): boolean {
  return (
    left.address === right.address &&
    left.sshPort === right.sshPort &&
    left.sshUser === right.sshUser &&
    left.hostKeyFingerprint === right.hostKeyFingerprint
  );
}

/** A deadline that passed before there was a connection means that the host was not reached. */
function unreachableWhenLate(endpoint: HostEndpoint, error: Error): ForewarmError {
  if (isForewarmError(error) && error.code !== "COMMAND_TIMED_OUT") return error;
  return new ForewarmError("HOST_UNREACHABLE", `${describeHost(endpoint)}: no connection in time`, { cause: error });
}
