import type { HostEndpoint } from "../../domain/host/host-endpoint.ts";

/** What a provider can do; a verb it lacks is declared false here and refused at `plan`, never a surprise at run time. */
export interface ComputeCapabilities {
  stop: boolean;
  hibernate: boolean;
  console: boolean;
  events: boolean;
  /** Network rules are enforced, not only recorded. */
  network: boolean;
  volumes: boolean;
  snapshots: boolean;
  /** How hosts are kept apart, for people: "bwrap", "none", "simulated". Never a security boundary on `local`. */
  isolation: string;
}

/** Quota and room of one zone, in hosts. */
export interface ZoneLimits {
  zone: string;
  available: boolean;
  hostsMax: number;
  hostsUsed: number;
}

export interface LaunchHost {
  hostId: string;
  /** Position within the batch; (request id, ordinal) names one machine for ever. */
  ordinal: number;
  zone: string;
}

export interface LaunchRequest {
  /** Idempotency key: the same id returns the machines of the first call, whatever happened to its reply. */
  requestId: string;
  fleet: string;
  image: string;
  hosts: LaunchHost[];
  /** OpenSSH public key line that the host accepts for its login user. */
  authorizedKey: string;
  /** Port of the host's first application, where the provider gives each host its own address; default 8080. */
  servicePort?: number;
}

export type MachineState = "pending" | "running" | "stopped" | "terminated";

export interface Machine {
  machineId: string;
  hostId: string;
  fleet: string;
  requestId: string;
  ordinal: number;
  zone: string;
  state: MachineState;
  /** Known once the machine has been given its network; the host key is known before the first connection. */
  endpoint: HostEndpoint | null;
  launchedAtMs: number;
}

export interface MachineFilter {
  fleet?: string;
  requestId?: string;
  machineIds?: string[];
}

export interface ProviderEvent {
  sequence: number;
  machineId: string;
  kind: "reclaim-notice" | "crashed" | "zone-lost";
  atMs: number;
  detail: string;
}

/**
 * Machines from a cloud, a rack of local hosts, or a simulation.
 * Every verb may be repeated with the same arguments. Errors are ForewarmError with one of the codes
 * INSUFFICIENT_CAPACITY, THROTTLED, NOT_FOUND, INVALID_REQUEST, UNAUTHORIZED, PROVIDER_UNREACHABLE, PORT_IN_USE, DISK_FULL;
 * vendor codes are mapped in one file of each provider.
 */
export interface ComputeProvider {
  capabilities(): Promise<ComputeCapabilities>;
  limits(): Promise<ZoneLimits[]>;
  /**
   * Starts machines. When only some fit, those are returned and the others are missing from the answer;
   * when none fits, throws INSUFFICIENT_CAPACITY.
   */
  launch(request: LaunchRequest, signal?: AbortSignal): Promise<Machine[]>;
  /** Machines that match every given filter; terminated ones are listed while the provider remembers them. */
  describe(filter: MachineFilter, signal?: AbortSignal): Promise<Machine[]>;
  /** Ends machines and frees what they held; unknown or ended ones are not an error. */
  terminate(machineIds: string[], signal?: AbortSignal): Promise<void>;
  /**
   * Ends the machines of a launch batch, also those whose launch reply was lost, and makes the (request id, ordinal)
   * pairs unusable, so that a launch still under way cannot create them afterwards.
   */
  terminateRequest(requestId: string, ordinals: number[], signal?: AbortSignal): Promise<void>;
  stop(machineId: string, signal?: AbortSignal): Promise<void>;
  start(machineId: string, signal?: AbortSignal): Promise<void>;
  /** The last output of the machine's console, at most 64 KiB. */
  console(machineId: string): Promise<string>;
  /** Events after `sequence`, oldest first. */
  events(sequence: number): Promise<ProviderEvent[]>;
  close(): Promise<void>;
}
