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

/** Records with the next publish that a claim is no longer wanted. */
export function keepWithdrawal(run: FleetRun, { claimId, requestedAtMs, source }: WaitingClaim): void {
  if (source === "fill") return;
  run.grantRows.push({
    claimId,
    hostId: "",
    kind: "withdrawn",
    requestedAtMs,
    grantedAtMs: Date.now(),
    epoch: 0,
    goldenEpoch: run.state.golden?.epoch ?? 0,
    readyAtMs: 0,
  });
}
