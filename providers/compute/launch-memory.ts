import { ForewarmError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import type { LaunchHost, LaunchRequest } from "./compute-provider.ts";

/** What makes launches idempotent: the answer of every request id, and the pairs that may never become a machine. */
export interface LaunchMemory {
  launches: Map<string, RememberedLaunch>;
  tombstones: Map<string, Set<number>>;
}

export interface RememberedLaunch {
  fingerprint: string;
  machineIds: string[];
}

export function emptyLaunchMemory(): LaunchMemory {
  return { launches: new Map(), tombstones: new Map() };
}

/** What a request id stands for; a second call under the same id must ask for the same. */
export function launchFingerprint(request: LaunchRequest): string {
  const hosts = request.hosts.map(({ hostId, ordinal, zone }) => [ordinal, hostId, zone]);
  return JSON.stringify([request.fleet, request.image, hosts]);
}

/** The machines of an earlier call with this request id, or null; throws INVALID_REQUEST when that call asked for others. */
export function rememberedMachines(memory: LaunchMemory, request: LaunchRequest): string[] | null {
  const known = memory.launches.get(request.requestId);
  if (!known) return null;
  if (known.fingerprint === launchFingerprint(request)) return known.machineIds;
  throw new ForewarmError("INVALID_REQUEST", `request ${request.requestId} was used before for other hosts`);
}

function checkBatch(request: LaunchRequest): void {
  const { hosts, requestId } = request;
  const ordinals = new Set(hosts.map((host) => host.ordinal));
  if (hosts.length === 0 || hosts.length > limits.launchBatchHostsMax)
    throw new ForewarmError(
      "INVALID_REQUEST",
      `request ${requestId} asks for ${hosts.length} hosts; 1 to ${limits.launchBatchHostsMax} are allowed`,
    );
  if (ordinals.size !== hosts.length)
    throw new ForewarmError("INVALID_REQUEST", `request ${requestId} names an ordinal twice`);
}

/**
 * The hosts of a new request that may be created: not buried, and within the room of their zone.
 * Throws INVALID_REQUEST for a batch that is empty, too large or ambiguous, INSUFFICIENT_CAPACITY when none fits.
 */
export function admitHosts(
  memory: LaunchMemory,
  request: LaunchRequest,
  roomOf: (zone: string) => number,
): LaunchHost[] {
  checkBatch(request);
  const buried = memory.tombstones.get(request.requestId);
  const wanted = request.hosts.filter((host) => !buried?.has(host.ordinal));
  const left = new Map<string, number>();
  const admitted = wanted.filter(({ zone }) => {
    const room = left.get(zone) ?? roomOf(zone);
    left.set(zone, room - 1);
    return room > 0;
  });
  if (wanted.length > 0 && admitted.length === 0) throw noRoom(wanted);
  return admitted;
}

function noRoom(wanted: LaunchHost[]): ForewarmError {
  const zones = [...new Set(wanted.map((host) => host.zone))].join(", ");
  return new ForewarmError("INSUFFICIENT_CAPACITY", `no room for ${wanted.length} hosts in zone ${zones}`);
}

/** Makes (request id, ordinal) pairs unusable for ever. */
export function bury(memory: LaunchMemory, requestId: string, ordinals: number[]): void {
  const buried = memory.tombstones.get(requestId) ?? new Set();
  for (const ordinal of ordinals) buried.add(ordinal);
  memory.tombstones.set(requestId, buried);
}
