import ssh2 from "ssh2";
import type { Client, ClientChannel, ConnectConfig, PseudoTtyOptions } from "ssh2";
import type { HostEndpoint } from "../../../domain/host/host-endpoint.ts";
import { createHash } from "node:crypto";
import { loginKey } from "./local-rack.ts";

export interface SshResult {
  code: number | null;
  signal: string | null;
  stdout: string;
  stderr: string;
}

/** Logs in with the host key pinned; rejects with the client's error. */
export function login(endpoint: HostEndpoint, change: Partial<ConnectConfig> = {}): Promise<Client> {
  const client = new ssh2.Client();
  const fingerprint = (key: Buffer) => `SHA256:${createHash("sha256").update(key).digest("base64").replace(/=+$/, "")}`;
  return new Promise((resolve, reject) => {
    client.once("connect", () => client.setNoDelay(true));
    client.once("ready", () => resolve(client));
    client.on("error", reject);
    client.connect({
      host: endpoint.address,
      port: endpoint.sshPort,
      username: endpoint.sshUser,
      privateKey: loginKey,
      hostVerifier: (key: Buffer) => fingerprint(key) === endpoint.hostKeyFingerprint,
      readyTimeout: 5000,
      ...change,
    });
  });
}

export function open(client: Client, command: string, pty: PseudoTtyOptions | false = false): Promise<ClientChannel> {
  return new Promise((resolve, reject) => {
    client.exec(command, pty ? { pty } : {}, (error, channel) => (error ? reject(error) : resolve(channel)));
  });
}

export function finish(channel: ClientChannel): Promise<SshResult> {
  const result: SshResult = { code: null, signal: null, stdout: "", stderr: "" };
  channel.on("data", (chunk: Buffer) => (result.stdout += chunk.toString()));
  channel.stderr.on("data", (chunk: Buffer) => (result.stderr += chunk.toString()));
  // `close` repeats what `exit` said, which may have come before anything listened.
  return new Promise((resolve) => {
    channel.on("close", (code: number | null = null, signal: string | null = null) =>
      resolve({ ...result, code, signal }),
    );
  });
}

/** Runs one command on a host and waits for its end. */
export async function runOn(endpoint: HostEndpoint, command: string, stdin?: string): Promise<SshResult> {
  const client = await login(endpoint);
  try {
    const channel = await open(client, command);
    channel.end(stdin);
    return await finish(channel);
  } finally {
    client.end();
  }
}

/** Sends a line to a Unix socket of the host and answers what comes back first. */
export async function askSocket(endpoint: HostEndpoint, path: string, line: string): Promise<string> {
  const client = await login(endpoint);
  try {
    return await new Promise((resolve, reject) => {
      client.openssh_forwardOutStreamLocal(path, (error, channel) => {
        if (error) return reject(error);
        channel.once("data", (chunk: Buffer) => resolve(chunk.toString()));
        return channel.write(line);
      });
    });
  } finally {
    client.end();
  }
}
