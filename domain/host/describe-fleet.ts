import type { FleetState, HostRecord } from "./fleet-state.ts";
import { hostIdOf } from "./fleet-state.ts";
import type { HostState } from "./host-state.ts";
import { isClaimable } from "./promotion-order.ts";

export interface HostDescription {
  hostId: string;
  zone: string;
  state: HostState;
  sinceMs: number;
  epoch: number;
  claimable: boolean;
  cordoned: boolean;
  claimId: string | null;
}

export type CapacityMode = "observe" | "advise" | "act";

export interface FleetDescription extends Pick<
  FleetState,
  | "fleet"
  | "templateVersion"
  | "golden"
  | "goldenChange"
  | "targets"
  | "endpoint"
  | "totals"
  | "hostStarts"
  | "tick"
  | "notices"
> {
  mode: CapacityMode;
  counts: Partial<Record<HostState, number>>;
  claimable: number;
  waiting: number;
  hosts: HostDescription[];
  /** `after` of the next page; null on the last. */
  next: number | null;
}

function describeHost(state: FleetState, host: HostRecord): HostDescription {
  return {
    hostId: hostIdOf(state.fleet, host.ordinal),
    zone: host.zone,
    state: host.state,
    sinceMs: host.sinceMs,
    epoch: host.epoch,
    claimable: isClaimable(host, state.golden),
    cordoned: host.cordoned,
    claimId: host.claimId,
  };
}

const hostsNamedMax = 3;

/** Hosts as the subject of a notice, `web-1 was` or `web-1, web-2, web-3 and 9 more were`: what befalls many at once is told once. */
export function shortList(hostIds: readonly string[]): string {
  const named = hostIds.slice(0, hostsNamedMax).join(", ");
  const others = hostIds.length - hostsNamedMax;
  if (hostIds.length === 1) return `${named} was`;
  return others > 0 ? `${named} and ${others} more were` : `${named} were`;
}

/** Hosts by state. */
export function countHosts(state: FleetState): Partial<Record<HostState, number>> {
  const counts: Partial<Record<HostState, number>> = {};
  for (const host of state.hosts) counts[host.state] = (counts[host.state] ?? 0) + 1;
  return counts;
}

/** What the `describe` query answers: totals, and the hosts after an ordinal. */
export function describeFleet(
  state: FleetState,
  page: { after: number; limit: number; mode: CapacityMode },
): FleetDescription {
  const { fleet, templateVersion, golden, goldenChange, targets, endpoint, totals, hostStarts, tick, notices } = state;
  const ordered = state.hosts
    .filter((host) => host.ordinal > page.after)
    .sort((left, right) => left.ordinal - right.ordinal);
  const shown = ordered.slice(0, page.limit);
  return {
    fleet,
    templateVersion,
    mode: page.mode,
    golden,
    goldenChange,
    targets,
    endpoint,
    counts: countHosts(state),
    claimable: state.hosts.filter((host) => isClaimable(host, golden)).length,
    waiting: state.waiting.length,
    totals,
    hostStarts,
    tick,
    notices,
    hosts: shown.map((host) => describeHost(state, host)),
    next: ordered.length > shown.length ? (shown.at(-1)?.ordinal ?? null) : null,
  };
}

function targetLines(state: FleetState): string[] {
  const { targets } = state;
  if (targets === null) return ["No decision yet."];
  return [
    `Targets: **${targets.serving} serving**, **${targets.standby} standby** (${targets.basis})`,
    "",
    targets.explanation,
  ];
}

/** Markdown for the workflow's page in the Temporal Web UI. */
export function fleetDetails(state: FleetState): string {
  const counts = Object.entries(countHosts(state)).map(([name, count]) => `| ${name} | ${count} |`);
  const { totals, golden, goldenChange } = state;
  const moving = goldenChange === null ? "" : `, epoch ${goldenChange.to.epoch} on its way`;
  return [
    `### Fleet ${state.fleet}`,
    "",
    ...targetLines(state),
    "",
    "| state | hosts |",
    "| --- | --- |",
    ...counts,
    "",
    `Golden: epoch ${golden?.epoch ?? "none"}${moving}`,
    `Claims: ${totals.claims}, warm ${totals.warmHits}, waiting ${state.waiting.length}`,
    ...state.notices.slice(-5).map((notice) => `- ${new Date(notice.atMs).toISOString()} ${notice.text}`),
  ].join("\n");
}
