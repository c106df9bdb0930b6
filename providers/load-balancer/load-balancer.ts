export interface LoadBalancerCapabilities {
  /** May bring in delegated standby by itself. */
  selfPromotion: boolean;
  mirror: boolean;
  promoteWithoutCloudCall: boolean;
}

export interface Backend {
  hostId: string;
  address: string;
  port: number;
  /** Share of traffic relative to the other backends, 0..256; 0 takes no new request. */
  weight: number;
  /** Golden epoch the host holds; read by `preferNewest`. */
  epoch: number;
  /** Draining backends finish what they have and take nothing new. */
  draining: boolean;
}

/** How strongly the newest committed epoch is preferred. */
export type PreferNewest = "off" | "weighted" | "strict";

/** The whole wanted state of one fleet; applying it twice changes nothing. */
export interface LoadBalancerState {
  fleet: string;
  /** Where users connect, ADDRESS:PORT; port 0 chooses a free one once and keeps it. Default 127.0.0.1:0. */
  listen?: string;
  /** Rises with every change of the fleet's state; an older one is refused with STALE_STATE_VERSION. */
  stateVersion: number;
  backends: Backend[];
  preferNewest: PreferNewest;
  /** Seconds over which a new backend's share rises from a tenth to its whole weight; 0 turns it off. */
  slowStartSeconds: number;
  healthCheck: { path: string; intervalMs: number; unhealthyAfter: number; healthyAfter: number };
}

export interface BackendStats {
  hostId: string;
  /** False after `unhealthyAfter` failed checks in a row, until `healthyAfter` passed. */
  healthy: boolean;
  draining: boolean;
  inFlight: number;
  requests: number;
  /** Responses of status 500 or above and failed connections. */
  errors: number;
  /**
   * Upper bounds in milliseconds and how many responses fell at or under each, so counts never fall from one to the
   * next; the last bound is +Infinity, written null, and its count is that of all responses.
   */
  latencyHistogram: { upperMs: number | null; count: number }[];
  /** Wall time of the last answered request, for proof that traffic arrived; null before the first. */
  lastResponseAtMs: number | null;
  /** Wall time since when it takes requests. */
  activeSinceMs: number;
  /** Wall time of the last passed health check; null before the first. */
  lastPassAtMs: number | null;
}

export interface LoadBalancerStats {
  stateVersion: number;
  atMs: number;
  /** All counters rise from the balancer's start; `startedAtMs` changes when they began anew. */
  startedAtMs: number;
  /** Requests that reached the balancer, answered or not: the demand. */
  offeredRequests: number;
  /** Requests that got a backend's whole response, of whatever status; those the user gave up count nowhere else. */
  answeredRequests: number;
  /** Requests that no backend answered (502, 503, 504) or whose response broke off. */
  failedRequests: number;
  inFlight: number;
  latencyHistogram: { upperMs: number | null; count: number }[];
  backends: BackendStats[];
}

/**
 * Sends users' requests to serving hosts. `sync` is level-triggered and versioned.
 * Errors: LOAD_BALANCER_UNREACHABLE, STALE_STATE_VERSION, NOT_FOUND, INVALID_REQUEST, PORT_IN_USE, DISK_FULL, CANCELLED.
 */
export interface LoadBalancer {
  capabilities(): Promise<LoadBalancerCapabilities>;
  /** Address users send requests to, such as `http://127.0.0.1:8080`. */
  endpoint(fleet: string): Promise<string>;
  /** Resolves with the endpoint once the new state is in force: a request accepted afterwards follows it. */
  sync(state: LoadBalancerState, signal?: AbortSignal): Promise<string>;
  /**
   * Stops new requests to a host and resolves when its last one ended or `deadlineMs` passed; true when empty.
   * It stays stopped until a newer state says otherwise. A host that the balancer does not know is empty.
   */
  drain(fleet: string, hostId: string, deadlineMs: number, signal?: AbortSignal): Promise<boolean>;
  stats(fleet: string): Promise<LoadBalancerStats>;
  /** Copies a share (0..1) of GET and HEAD requests to a host and throws the answers away; null ends it. */
  mirror(fleet: string, target: { hostId: string; address: string; port: number; share: number } | null): Promise<void>;
  /** Forgets a fleet and frees its listener. */
  remove(fleet: string): Promise<void>;
  close(): Promise<void>;
}
