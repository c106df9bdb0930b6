import type { LaunchHostsAnswer, LaunchHostsRequest } from "../activities/launch.ts";
import type { HostRecord } from "../domain/host/fleet-state.ts";
import { findHost, isBootstrapping } from "../domain/host/fleet-state.ts";
import { shortList } from "../domain/host/describe-fleet.ts";
import { addNotice, moveHost, planHosts } from "../domain/host/fleet-transitions.ts";
import { limits } from "../domain/limits.ts";
import { failureReason } from "./failure-reason.ts";
import type { FleetRun } from "./fleet-run.ts";
import { firstRunId, hostId, inBackground } from "./fleet-run.ts";
import { launches } from "./proxies.ts";

/** A zone that did not give a machine is left alone for this long. */
const zoneHoldMs = 10_000;

function zonesWithRoom(run: FleetRun): string[] {
  const zones = run.state.template?.provider.zones ?? [];
  return zones.filter((zone) => (run.zonesHeldUntilMs[zone] ?? 0) <= Date.now());
}

function requestFor(run: FleetRun, hosts: HostRecord[], decidedAtMs: number): LaunchHostsRequest | null {
  const { state } = run;
  const { fleet, template, golden, signingKeys } = state;
  if (hosts.length === 0 || template === null || golden === null) return null;
  return {
    fleet,
    batch: state.nextBatch++,
    firstRunId: firstRunId(),
    template,
    golden,
    signingKeys,
    decidedAtMs,
    hosts: hosts.map((host) => ({
      hostId: hostId(run, host),
      ordinal: host.ordinal,
      zone: host.zone,
      fence: state.nextFence++,
    })),
  };
}

function giveUp(run: FleetRun, { missing }: LaunchHostsAnswer): void {
  const { state } = run;
  const hostIdsByFailure = new Map<string, string[]>();
  for (const { hostId: id, reason } of missing) {
    const host = findHost(state, id);
    if (host === undefined || !isBootstrapping(host)) continue;
    moveHost(state, host, { to: "failed", nowMs: Date.now() });
    state.hostStarts -= 1;
    run.zonesHeldUntilMs[host.zone] = Date.now() + zoneHoldMs;
    const how = `not launched in zone ${host.zone}: ${reason}`;
    hostIdsByFailure.set(how, [...(hostIdsByFailure.get(how) ?? []), id]);
  }
  for (const [how, ids] of hostIdsByFailure) addNotice(state, Date.now(), `${shortList(ids)} ${how}`);
}

/** Launches as one batch, in zones that may have room; with none of those the next decision tries again. */
export function launch(run: FleetRun, wanted: number, decidedAtMs: number): void {
  const zones = zonesWithRoom(run);
  const underWay = run.state.hosts.filter(isBootstrapping).length;
  const count = Math.min(wanted, limits.launchBatchHostsMax, limits.bootstrapsInFlightMax - underWay);
  if (zones.length === 0 || count <= 0) return;
  // What is more than one batch follows at once, until as many are under way as may be.
  run.poolChanged ||= count < wanted;
  const hosts = planHosts(run.state, count, { nowMs: Date.now(), zones });
  const request = requestFor(run, hosts, decidedAtMs);
  if (request === null) return;
  run.state.hostStarts += hosts.length;
  for (const host of hosts) moveHost(run.state, host, { to: "allocating", nowMs: Date.now() });
  inBackground(run, "launching", async () => {
    const answer = await launches.launchHosts
      .executeWithOptions({ summary: `batch ${request.batch}: ${hosts.length} hosts` }, [request])
      .catch((error: unknown) => ({
        missing: request.hosts.map((host) => ({ hostId: host.hostId, reason: failureReason(error).message })),
      }));
    giveUp(run, answer);
  });
}
