import type { FleetDescription, HostDescription } from "../../domain/host/describe-fleet.ts";

/** A fleet as `--output json` prints it; `status` and `watch` print the same keys. */
export function fleetRecord(description: FleetDescription): Record<string, unknown> {
  const { fleet, mode, golden, goldenChange, targets, counts, totals } = description;
  return {
    fleet,
    mode,
    template_version: description.templateVersion,
    endpoint: description.endpoint,
    golden_epoch: golden?.epoch ?? null,
    golden_digest: golden?.digest ?? null,
    golden_on_its_way: goldenChange?.to.epoch ?? null,
    targets: targetsRecord(targets),
    demand: targets?.demand ?? null,
    hosts_by_state: counts,
    claimable: description.claimable,
    waiting_claims: description.waiting,
    claims: totals.claims,
    warm_hits: totals.warmHits,
    host_starts: description.hostStarts,
    promoted_with_stale_configuration: totals.promotedWithStaleConfiguration,
    notices: description.notices.map(({ atMs, text }) => ({ at: new Date(atMs).toISOString(), text })),
  };
}

function targetsRecord(targets: FleetDescription["targets"]): unknown {
  if (targets === null) return null;
  const { serving, standby, basis, explanation } = targets;
  return { serving, standby, basis, explanation };
}

export function hostRecord(host: HostDescription): Record<string, unknown> {
  return {
    host: host.hostId,
    zone: host.zone,
    state: host.state,
    epoch: host.epoch,
    claimable: host.claimable,
    cordoned: host.cordoned,
    claim_id: host.claimId,
  };
}
