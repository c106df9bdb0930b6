import type { GoldenReference, HostRecord } from "./fleet-state.ts";

/**
 * Whether a host may be handed out: verified standby that holds the golden content.
 * The digest decides, not the epoch, so that re-signed equal content stays claimable.
 */
export function isClaimable(host: HostRecord, golden: GoldenReference | null): boolean {
  if (golden === null || host.state !== "standby") return false;
  return host.digest === golden.digest && host.verifiedAtMs > 0;
}

/** Newest committed epoch first, then the longest verified, then the lowest ordinal. */
export function promotionOrder(hosts: readonly HostRecord[]): HostRecord[] {
  return [...hosts].sort(
    (left, right) => right.epoch - left.epoch || left.verifiedAtMs - right.verifiedAtMs || left.ordinal - right.ordinal,
  );
}
