import type { HostEndpoint } from "../../../domain/host/host-endpoint.ts";
import { type ErrorCode, ForewarmError } from "../../../domain/errors.ts";

/** Names a host for messages: its id and where it was looked for. */
export function describeHost(endpoint: HostEndpoint): string {
  return `host ${endpoint.hostId} (${endpoint.sshUser}@${endpoint.address}:${endpoint.sshPort})`;
}

/** Turns what ssh2 reports while it connects into an error of the catalogue, by the error's `level`. */
export function connectError(endpoint: HostEndpoint, error: unknown): ForewarmError {
  const message = error instanceof Error ? error.message : String(error);
  return new ForewarmError(codeOfLevel(error), `${describeHost(endpoint)}: ${message}`, { cause: error });
}

function codeOfLevel(error: unknown): ErrorCode {
  if (isPrivateKeyFault(error) || levelOf(error) === "client-authentication") return "UNAUTHORIZED";
  return "HOST_UNREACHABLE";
}

function levelOf(error: unknown): unknown {
  return typeof error === "object" && error !== null && "level" in error ? error.level : undefined;
}

function isPrivateKeyFault(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith("Cannot parse privateKey");
}
