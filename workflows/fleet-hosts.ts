import type { LostHost } from "../activities/fleet-observation.ts";
import { heldByDemand, isServing } from "../domain/host/fleet-pool.ts";
import type { HostRecord, WaitingClaim } from "../domain/host/fleet-state.ts";
import { findHost, isBootstrapping } from "../domain/host/fleet-state.ts";
import { addNotice, demoteHost, loseHost, moveHost, takeHost } from "../domain/host/fleet-transitions.ts";
import { shortList } from "../domain/host/describe-fleet.ts";
import { keepGrant } from "./fleet-grants.ts";
import type { FleetRun } from "./fleet-run.ts";
import { hostId, inBackground, publish, startRetirements, startUpdates } from "./fleet-run.ts";
import type { HostAnswer } from "./messages.ts";

/** Takes hosts out of rotation: they drain, are verified again, and join standby. */
export function demote(run: FleetRun, hosts: HostRecord[]): void {
  const golden = run.state.golden;
  if (golden === null || hosts.length === 0) return;
  for (const host of hosts) demoteHost(run.state, host, { next: "standby", nowMs: Date.now() });
  // The balancer must know before the saga waits for the last request, else new ones would keep coming.
  inBackground(run, "draining", async () => {
    await publish(run);
    await startUpdates(
      run,
      hosts.map((host) => ({ host, reason: "demote", drain: true, golden })),
    );
  });
}

/** Puts a named standby host into rotation. */
export async function promoteByName(run: FleetRun, id: string): Promise<HostAnswer> {
  const host = findHost(run.state, id);
  if (host === undefined) throw new Error(`no host ${id}`);
  const claim: WaitingClaim = {
    claimId: `promote/${id}/${run.state.stateVersion}`,
    source: "operator",
    requestedAtMs: Date.now(),
  };
  takeHost(run.state, claim, { host, nowMs: Date.now() });
  run.state.totals.claims += 1;
  run.state.totals.warmHits += 1;
  keepGrant(run, { claim, host, kind: "warm" });
  await publish(run);
  return { hostId: id, state: host.state };
}

/** Holds a host back for a person. A host it would have been counted on is replaced at once. */
export function cordon(run: FleetRun, host: HostRecord): void {
  host.cordoned = true;
  run.poolChanged = true;
  run.dirty = true;
}

/** Gives a host back to the fleet; one in quarantine is verified first and joins standby when it passes. */
export function uncordon(run: FleetRun, host: HostRecord): void {
  host.cordoned = false;
  run.dirty = true;
  const { golden } = run.state;
  if (host.state !== "quarantined" || golden === null) return;
  host.next = "standby";
  inBackground(run, `verifying ${hostId(run, host)}`, () =>
    startUpdates(run, [{ host, reason: "uncordon", drain: false, golden }]),
  );
}

/** Destroys a host and lets another take its place; one that serves leaves only once the others suffice. */
export function replace(run: FleetRun, host: HostRecord): void {
  run.poolChanged = true;
  run.dirty = true;
  host.cordoned = false;
  if (isServing(host)) {
    host.next = "retire";
    return;
  }
  moveHost(run.state, host, { to: "retiring", nowMs: Date.now() });
  startRetirements(run, [host]);
}

/** Takes hosts that are to be replaced out of rotation as far as the others carry what is wanted. */
export function retireReplaced(run: FleetRun): void {
  const wanted = run.state.targets?.serving ?? 0;
  const others = heldByDemand(run.state).filter((host) => host.state === "serving").length;
  if (others < wanted) return;
  const replaced = run.state.hosts.filter((host) => host.state === "serving" && host.next === "retire");
  if (replaced.length === 0) return;
  for (const host of replaced) demoteHost(run.state, host, { next: "retire", nowMs: Date.now() });
  inBackground(run, "retiring replaced hosts", async () => {
    await publish(run);
    startRetirements(run, replaced);
  });
}

/** Marks hosts as lost wherever they are; the retirement frees what they held. */
export function loseHosts(run: FleetRun, lost: readonly LostHost[]): void {
  const gone: readonly HostRecord["state"][] = ["failed", "quarantined", "retiring", "retired"];
  const hostIdsByReason = new Map<string, string[]>();
  for (const { hostId: id, reason, by } of lost) {
    const host = findHost(run.state, id);
    if (host === undefined || gone.includes(host.state) || isBootstrapping(host)) continue;
    // Its application may restart just now; the saga gives it up when it stays down.
    if (by === "balancer" && host.state === "updating") continue;
    loseHost(run.state, host, Date.now());
    hostIdsByReason.set(reason, [...(hostIdsByReason.get(reason) ?? []), id]);
    run.poolChanged = true;
    run.dirty = true;
  }
  for (const [reason, ids] of hostIdsByReason) addNotice(run.state, Date.now(), `${shortList(ids)} lost: ${reason}`);
}
