import type { FleetDescription } from "../../domain/host/describe-fleet.ts";
import { renderBandPlot, shortNumber } from "./band-plot.ts";
import type { FleetView } from "./fleet-view.ts";
import { hostCounts } from "./fleet-view.ts";
import { renderSparkline } from "./sparkline.ts";

/** What the live view remembers between looks at the fleet. */
export interface WatchHistory {
  tick: number;
  demand: (number | null)[];
  serving: number[];
  standby: number[];
  /** Demand the serving hosts can carry, one for each step. */
  carried: number[];
}

const stepsRemembered = 300;

export function emptyWatchHistory(): WatchHistory {
  return { tick: -1, demand: [], serving: [], standby: [], carried: [] };
}

/** Adds a look at the fleet; looks within one control step count once. */
export function remember(history: WatchHistory, description: FleetDescription, perHost: number): void {
  if (description.tick === history.tick || description.targets === null) return;
  history.tick = description.tick;
  const counts = new Map(hostCounts(description).map(({ title, count }) => [title, count]));
  const serving = counts.get("serving") ?? 0;
  history.demand.push(description.targets.demand);
  history.serving.push(serving);
  history.standby.push(counts.get("standby") ?? 0);
  history.carried.push(serving * perHost);
  for (const list of [history.demand, history.serving, history.standby, history.carried]) {
    if (list.length > stepsRemembered) list.shift();
  }
}

function bandOf(description: FleetDescription): { low: number; median: number; high: number }[] {
  return (description.targets?.band ?? []).map(([low = 0, median = 0, high = 0]) => ({ low, median, high }));
}

function hostRow(label: string, values: readonly number[], width: number): string {
  const newest = values.at(-1) ?? 0;
  return `${label.padEnd(9)}${String(newest).padStart(4)}  ${renderSparkline(values.slice(-width))}`;
}

/** The block of lines that `watch` and the demo repaint: demand with its forecast, hosts, claims. */
export function watchLines(view: FleetView & { history: WatchHistory; extra: readonly string[] }): string[] {
  const { description, history, style, columns, link, extra } = view;
  const { totals, targets } = description;
  const room = Math.max(20, columns - 20);
  const plot = renderBandPlot({
    history: history.demand.slice(-room),
    forecast: bandOf(description),
    capacity: history.carried.slice(-room),
    height: 8,
    width: Math.min(columns, 110),
    unit: "requests/s",
  });
  const demand = targets?.demand ?? null;
  const golden = description.golden === null ? "none" : `epoch ${description.golden.epoch}`;
  const moving = description.goldenChange === null ? "" : ` → ${description.goldenChange.to.epoch}`;
  return [
    style.bold(
      `fleet ${description.fleet}  demand ${demand === null ? "unknown" : shortNumber(demand)} requests/s  golden ${golden}${moving}`,
    ),
    ...plot.split("\n"),
    hostRow("serving", history.serving, room),
    hostRow("standby", history.standby, room),
    `claims ${totals.claims}  warm ${totals.warmHits}  missed ${totals.claims - totals.warmHits}  waiting ${description.waiting}  started ${description.hostStarts}`,
    ...extra,
    ...(targets === null ? [] : [style.dim(`${targets.explanation} [${targets.basis}]`)]),
    ...(link === null ? [] : [style.dim(link)]),
    ...description.notices.slice(-2).map(({ text }) => style.warn(text)),
  ];
}
