import type { MachineFault, RackWideFault } from "./fault-knobs.ts";
import type { RackHost } from "./host.ts";

/** Plays a fault of one machine. */
export function playOnMachine(host: RackHost, fault: MachineFault): Promise<void> {
  switch (fault.kind) {
    case "refuse-ssh":
      return host.refuseSsh(fault.enabled);
    case "crash":
      return host.crash("crashed", "the fault knob was turned");
    case "freeze":
      return host.freeze(fault.enabled);
    case "slow":
      return host.slow(fault.runShare);
    case "reclaim":
      return host.reclaim(fault.graceSeconds);
    case "host-key":
      return host.changeHostKey(fault.changed);
    default:
      return fault satisfies never;
  }
}

/** A zone fails: its hosts die, or stand still when they run. */
function loseZone(host: RackHost, effect: "crash" | "freeze"): Promise<void> {
  const { zone, state } = host.record.machine;
  const detail = `zone ${zone} is lost`;
  if (effect === "crash" || state !== "running") return host.crash("zone-lost", detail);
  return host.freeze(true, { kind: "zone-lost", detail });
}

async function recover(host: RackHost): Promise<void> {
  await host.forgetFaults();
  if (host.record.changedHostKey !== null) await host.changeHostKey(false);
  await host.freeze(false);
}

/** What a fault of the rack or of a zone does to the hosts there are. */
export async function playOnHosts(hosts: RackHost[], fault: RackWideFault): Promise<void> {
  if (fault.kind === "reset") await Promise.all(hosts.map(recover));
  if (fault.kind !== "zone-loss" && fault.kind !== "zone-return") return;
  const hit = hosts.filter((host) => host.record.machine.zone === fault.zone);
  if (fault.kind === "zone-return") await Promise.all(hit.map((host) => host.freeze(false)));
  else await Promise.all(hit.map((host) => loseZone(host, fault.effect)));
}
