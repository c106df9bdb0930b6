import { NodeSSH } from "node-ssh";
import type { Client } from "ssh2";
import { ForewarmError } from "../../../domain/errors.ts";
import type { HostEndpoint } from "../../../domain/host/host-endpoint.ts";
import { limits } from "../../../domain/limits.ts";
import { hostKeyFingerprint } from "./host-key.ts";
import { createSemaphore, type Semaphore } from "./semaphore.ts";
import { connectError, describeHost } from "./ssh-errors.ts";

export interface SshSettings {
  /** Private key in OpenSSH or PEM form. */
  privateKey: string;
  /** A silent host is given up after `keepaliveMissesMax` intervals without an answer. */
  keepaliveIntervalMs: number;
  keepaliveMissesMax: number;
}

/** One live SSH connection to a host. */
export interface HostConnection {
  endpoint: HostEndpoint;
  client: Client;
  /** Aborts with CHANNEL_LOST as soon as the connection is gone. */
  lost: AbortSignal;
  /** Places for session channels; a server of default settings refuses the eleventh. */
  channels: Semaphore;
  dispose(): void;
}

interface OpenRequest {
  endpoint: HostEndpoint;
  settings: SshSettings;
  timeoutMs: number;
}

/** Connects and authenticates. Throws HOST_UNREACHABLE, UNAUTHORIZED or HOST_KEY_CHANGED. */
export async function openHostConnection(request: OpenRequest): Promise<HostConnection> {
  const { endpoint } = request;
  const ssh = new NodeSSH();
  const shown: { fingerprint?: string } = {};
  const connecting = ssh.connect(connectConfig(request, shown));
  const client = ssh.connection;
  client?.on("error", () => undefined);
  client?.on("connect", () => client.setNoDelay(true));
  try {
    await connecting;
  } catch (error) {
    client?.destroy();
    if (shown.fingerprint !== undefined && shown.fingerprint !== endpoint.hostKeyFingerprint) {
      throw hostKeyChanged(endpoint, shown.fingerprint);
    }
    throw connectError(endpoint, error);
  }
  if (client === null) throw connectError(endpoint, new Error("no connection was made"));
  return watchConnection(endpoint, client);
}

function connectConfig({ endpoint, settings, timeoutMs }: OpenRequest, shown: { fingerprint?: string }) {
  return {
    host: endpoint.address,
    port: endpoint.sshPort,
    username: endpoint.sshUser,
    privateKey: settings.privateKey,
    readyTimeout: timeoutMs,
    keepaliveInterval: settings.keepaliveIntervalMs,
    keepaliveCountMax: settings.keepaliveMissesMax,
    // Stream-local forwards are an OpenSSH extension; the local rack speaks it too but names itself otherwise.
    strictVendor: false,
    hostVerifier: (key: Buffer) => {
      shown.fingerprint = hostKeyFingerprint(key);
      return shown.fingerprint === endpoint.hostKeyFingerprint;
    },
  };
}

function watchConnection(endpoint: HostEndpoint, client: Client): HostConnection {
  const lost = new AbortController();
  let cause: unknown;
  client.on("error", (error) => {
    cause = error;
  });
  client.on("close", () =>
    lost.abort(new ForewarmError("CHANNEL_LOST", `${describeHost(endpoint)}: the connection was lost`, { cause })),
  );
  return {
    endpoint,
    client,
    lost: lost.signal,
    channels: createSemaphore(limits.sshChannelsPerHostMax),
    dispose: () => client.end(),
  };
}

function hostKeyChanged(endpoint: HostEndpoint, shown: string): ForewarmError {
  return new ForewarmError(
    "HOST_KEY_CHANGED",
    `${describeHost(endpoint)}: shows host key ${shown}, recorded is ${endpoint.hostKeyFingerprint || "none"}`,
  );
}
