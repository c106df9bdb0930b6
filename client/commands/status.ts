import type { Command } from "commander";
import type { FleetDescription } from "../../domain/host/describe-fleet.ts";

import { withFleet } from "../with-fleet.ts";

/** Adds `status`: what a fleet is doing now. */
export function registerStatus(program: Command): void {
  program
    .command("status")
    .description("show a fleet: targets, hosts by state, claims, what went wrong")
    .argument("<fleet>", "name of the fleet")
    .option("--hosts", "list every host", false)
    .action(async (name: string, options: { hosts: boolean }, command: Command) =>
      withFleet(command, name, async ({ fleet, print, style, columns, link }) => {
        const { statusLines } = await import("../output/fleet-view.ts");
        const description = await fleet.describe();
        const view = { description, style, columns, link, withHosts: options.hosts };
        print.result(asRecord(description, link), () => statusLines(view).join("\n"));
      }),
    );
}

function asRecord(description: FleetDescription, link: string | null): unknown {
  const { fleet, mode, golden, goldenChange, targets, counts, totals } = description;
  return {
    fleet,
    mode,
    template_version: description.templateVersion,
    endpoint: description.endpoint,
    golden_epoch: golden?.epoch ?? null,
    golden_digest: golden?.digest ?? null,
    golden_on_its_way: goldenChange?.to.epoch ?? null,
    targets:
      targets === null
        ? null
        : {
            serving: targets.serving,
            standby: targets.standby,
            basis: targets.basis,
            explanation: targets.explanation,
          },
    demand: targets?.demand ?? null,
    hosts_by_state: counts,
    claimable: description.claimable,
    waiting_claims: description.waiting,
    claims: totals.claims,
    warm_hits: totals.warmHits,
    host_starts: description.hostStarts,
    promoted_with_stale_configuration: totals.promotedWithStaleConfiguration,
    notices: description.notices.map(({ atMs, text }) => ({ at: new Date(atMs).toISOString(), text })),
    hosts: description.hosts.map((host) => ({
      host: host.hostId,
      zone: host.zone,
      state: host.state,
      epoch: host.epoch,
      claimable: host.claimable,
      claim_id: host.claimId,
    })),
    web_ui: link,
  };
}
