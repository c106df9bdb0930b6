import type { ClaimRow } from "../../providers/store/store.ts";

export const claimRow = (fleet: string, claimId: string, hostId: string): ClaimRow => ({
  fleet,
  claimId,
  hostId,
  kind: "warm",
  requestedAtMs: 1_763_800_000_000,
  grantedAtMs: 1_763_800_000_015,
  epoch: 3,
  goldenEpoch: 4,
  readyAtMs: 1_763_799_000_000,
});
