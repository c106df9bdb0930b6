import type { HostState } from "../host/host-state.ts";

/** What decides whether, and in which order, a host is handed out. */
export interface StandbyCandidate {
  hostId: string;
  state: HostState;
  /** Epoch of the committed configuration it holds; shown and ordered by, not compared for claimability. */
  epoch: number;
  /** Digest of the golden content it holds now, overlay left out. */
  liveDigest: string;
  /** When its verification suite last passed; null when it did not. */
  verifiedAtMs: number | null;
  /** Lent to the load balancer, which may promote it by itself. */
  delegated: boolean;
}

/** Standby, verified, holding the golden content, not delegated. */
export function isClaimable(host: StandbyCandidate, goldenDigest: string): boolean {
  return host.state === "standby" && host.liveDigest === goldenDigest && host.verifiedAtMs !== null && !host.delegated;
}

/** Claimable hosts, best first: newest committed epoch, then longest verified, then host id. */
export function promotionOrder<Candidate extends StandbyCandidate>(
  hosts: readonly Candidate[],
  goldenDigest: string,
): Candidate[] {
  return hosts.filter((host) => isClaimable(host, goldenDigest)).sort(comparePreference);
}

function comparePreference(left: StandbyCandidate, right: StandbyCandidate): number {
  const byEpoch = right.epoch - left.epoch;
  const byAge = (left.verifiedAtMs ?? 0) - (right.verifiedAtMs ?? 0);
  return byEpoch || byAge || (left.hostId < right.hostId ? -1 : 1);
}
