import type { GoldenReference } from "./fleet-state.ts";
import type { HostState } from "./host-state.ts";

/** What decides whether, and in which order, a host is handed out. */
export interface StandbyCandidate {
  ordinal: number;
  state: HostState;
  /** Epoch of the golden configuration it holds: it orders hosts, and is not compared for claimability. */
  epoch: number;
  /** Digest of the golden content it was verified to hold. */
  digest: string;
  /** When its verification last passed; 0 before the first time. */
  verifiedAtMs: number;
  /** Held back by a person. */
  cordoned: boolean;
}

/**
 * Whether a host may be handed out: verified standby that holds the golden content.
 * The digest decides, not the epoch, so that re-signed equal content stays claimable.
 */
export function isClaimable(host: StandbyCandidate, golden: Pick<GoldenReference, "digest"> | null): boolean {
  if (golden === null || host.state !== "standby" || host.cordoned) return false;
  return host.digest === golden.digest && host.verifiedAtMs > 0;
}

/** Claimable hosts, best first: newest committed epoch, then the longest verified, then the lowest ordinal. */
export function promotionOrder<Candidate extends StandbyCandidate>(
  hosts: readonly Candidate[],
  golden: Pick<GoldenReference, "digest"> | null,
): Candidate[] {
  return hosts
    .filter((host) => isClaimable(host, golden))
    .sort(
      (left, right) =>
        right.epoch - left.epoch || left.verifiedAtMs - right.verifiedAtMs || left.ordinal - right.ordinal,
    );
}
