import type { HostEndpoint } from "../../domain/host/host-endpoint.ts";
import type { AgentNotice, AgentRequest, AgentResponseOf } from "../../schema/agent-protocol.ts";

export interface CommandRequest {
  command: string;
  stdin?: string | Buffer;
  timeoutMs: number;
  /** Cancellation kills the remote process, not only the local wait. */
  signal?: AbortSignal;
}

/** The result of a command that ran to its end: a non-zero exit is a result, a lost connection an error. */
export interface CommandResult {
  exitCode: number;
  stdout: string;
  stderr: string;
  durationMs: number;
}

export interface UploadRequest {
  /** Absolute on the host. Written to a temporary name, synced and renamed. */
  path: string;
  content: Buffer;
  /** Octal permission bits, such as 0o644. */
  mode: number;
  timeoutMs: number;
  signal?: AbortSignal;
}

export interface CallOptions {
  timeoutMs: number;
  signal?: AbortSignal;
}

/**
 * The only way to a host: SSH with a pinned host key. Connections are pooled per host.
 * Errors: HOST_UNREACHABLE, HOST_KEY_CHANGED, UNAUTHORIZED, CHANNEL_LOST, COMMAND_TIMED_OUT, CANCELLED,
 * and those an agent answers with (FENCE_REFUSED, MANIFEST_REFUSED, DIGEST_MISMATCH, VERIFY_FAILED, AGENT_PROTOCOL …).
 */
export interface NodeChannel {
  /** Opens, or reuses, the connection to a host; checks the host key against the endpoint. */
  connect(endpoint: HostEndpoint, options: CallOptions): Promise<void>;
  run(endpoint: HostEndpoint, request: CommandRequest): Promise<CommandResult>;
  upload(endpoint: HostEndpoint, request: UploadRequest): Promise<void>;
  /** One request to the agent daemon over a stream-local forward to its Unix socket. */
  call<Request extends AgentRequest>(
    endpoint: HostEndpoint,
    request: Request,
    options: CallOptions,
  ): Promise<AgentResponseOf<Request>>;
  /**
   * Follows the agent's durable outbox. A notice is acknowledged only after `onNotice` resolved;
   * a notice whose handler failed comes again. Resolves when `signal` aborts, rejects with CHANNEL_LOST when the
   * connection breaks: the caller follows again.
   */
  notices(
    endpoint: HostEndpoint,
    onNotice: (notice: AgentNotice) => Promise<void>,
    options: { signal: AbortSignal },
  ): Promise<void>;
  close(hostId: string): Promise<void>;
  closeAll(): Promise<void>;
}
