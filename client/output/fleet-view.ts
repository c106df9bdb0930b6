import type { FleetDescription, HostDescription } from "../../domain/host/describe-fleet.ts";
import type { HostState } from "../../domain/host/host-state.ts";
import { formatDuration } from "./progress.ts";
import type { Style } from "./style.ts";
import { renderTable } from "./table.ts";

export interface FleetView {
  description: FleetDescription;
  style: Style;
  columns: number;
  link: string | null;
  withHosts: boolean;
}

const shownStates: readonly { title: string; states: readonly HostState[] }[] = [
  { title: "serving", states: ["promoting", "serving", "updating"] },
  { title: "standby", states: ["standby", "refreshing"] },
  {
    title: "bootstrapping",
    states: ["planned", "allocating", "booting", "connecting", "staging", "configuring", "starting", "verifying"],
  },
  { title: "draining", states: ["draining", "retiring"] },
  { title: "quarantined", states: ["quarantined"] },
];

/** Counts of hosts by what they are good for, in the order a host lives through. */
export function hostCounts({ counts }: Pick<FleetDescription, "counts">): { title: string; count: number }[] {
  return shownStates.map(({ title, states }) => ({
    title,
    count: states.reduce((sum, state) => sum + (counts[state] ?? 0), 0),
  }));
}

function targetLine({ targets, mode }: FleetDescription): string {
  if (targets === null) return "no decision yet";
  const advice = mode === "act" ? "" : ` (${mode}: nothing is started)`;
  return `want ${targets.serving} serving and ${targets.standby} standby${advice}`;
}

function goldenLine({ golden, goldenChange }: FleetDescription): string {
  const moving = goldenChange === null ? "" : `, epoch ${goldenChange.to.epoch} on its way`;
  return golden === null ? "none" : `epoch ${golden.epoch}, digest ${golden.digest.slice(0, 12)}${moving}`;
}

/** One line for each host, under its titles. */
export function hostTable(
  hosts: readonly HostDescription[],
  { columns, style }: Pick<FleetView, "columns" | "style">,
): string[] {
  const rows = hosts.map((host) => [
    host.hostId,
    host.zone,
    host.cordoned ? `${host.state}, cordoned` : host.state,
    String(host.epoch),
    host.claimable ? "yes" : "",
    formatDuration(Math.max(0, Date.now() - host.sinceMs)),
    host.claimId ?? "",
  ]);
  const titles = ["host", "zone", "state", "epoch", "claimable", "for", "claim"].map((title) => ({ title }));
  return renderTable({ columns: titles, rows, width: columns, paintTitle: style.dim }).split("\n");
}

/** The lines of `forewarm status`. */
export function statusLines(view: FleetView): string[] {
  const { description, style, link, withHosts } = view;
  const { totals, targets, waiting } = description;
  const counts = hostCounts(description)
    .filter(({ count }) => count > 0)
    .map(({ title, count }) => `${count} ${title}`);
  const misses = totals.claims - totals.warmHits;
  return [
    `${style.bold(`fleet ${description.fleet}`)}  template version ${description.templateVersion}, mode ${description.mode}`,
    `endpoint   ${description.endpoint ?? "not in rotation yet"}`,
    `hosts      ${counts.length === 0 ? "none yet" : counts.join(", ")}; ${description.claimable} claimable`,
    `targets    ${targetLine(description)}`,
    ...(targets === null ? [] : [`because    ${targets.explanation} [${targets.basis}]`]),
    `golden     ${goldenLine(description)}`,
    `claims     ${totals.claims}, of them ${totals.warmHits} warm and ${misses} missed; ${waiting} waiting now`,
    ...(link === null ? [] : [`web ui     ${link}`]),
    ...description.notices.slice(-5).map(({ atMs, text }) => style.warn(`${new Date(atMs).toISOString()} ${text}`)),
    ...(withHosts ? ["", ...hostTable(description.hosts, view)] : []),
  ];
}
