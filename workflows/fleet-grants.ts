import type { GrantRow } from "../activities/traffic.ts";
import type { HostRecord, WaitingClaim } from "../domain/host/fleet-state.ts";
import type { FleetRun } from "./fleet-run.ts";
import { hostId } from "./fleet-run.ts";

/** Records a grant with the next publish; those of a fleet's first fill are no claims. */
export function keepGrant(
  run: FleetRun,
  { claim, host, kind }: { claim: WaitingClaim; host: HostRecord; kind: GrantRow["kind"] },
): void {
  if (claim.source === "fill") return;
  run.grantRows.push({
    claimId: claim.claimId,
    hostId: hostId(run, host),
    kind,
    requestedAtMs: claim.requestedAtMs,
    grantedAtMs: Date.now(),
    epoch: host.epoch,
    goldenEpoch: run.state.golden?.epoch ?? 0,
    readyAtMs: host.verifiedAtMs,
  });
}

/** The row of a claim that is no longer wanted. */
export function withdrawnRow(run: FleetRun, { claimId, requestedAtMs }: WaitingClaim): GrantRow {
  const goldenEpoch = run.state.golden?.epoch ?? 0;
  return {
    claimId,
    hostId: "",
    kind: "withdrawn",
    requestedAtMs,
    grantedAtMs: Date.now(),
    epoch: 0,
    goldenEpoch,
    readyAtMs: 0,
  };
}
