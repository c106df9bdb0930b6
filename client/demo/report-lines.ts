import type { CliContext } from "../context.ts";
import { formatDuration } from "../output/progress.ts";
import { renderTable } from "../output/table.ts";
import type { ReplayReport } from "../../simulation/report.ts";
import type { DemoReport } from "./demo-report.ts";

function percent(value: number | null): string {
  return value === null ? "" : `${(value * 100).toFixed(1)} %`;
}

function columnOf(report: ReplayReport): string[] {
  return [
    String(report.claims),
    String(report.claims - report.warm_hits),
    formatDuration(report.wait_ms.max),
    String(report.host_starts),
    percent(report.ready_before_needed),
    report.idle_host_minutes.toFixed(0),
    report.shortage_host_minutes.toFixed(1),
  ];
}

const rowTitles = [
  "claims",
  "missed",
  "longest wait",
  "host starts",
  "ready before needed",
  "idle host minutes",
  "shortage host minutes",
];

/** The report for people: what users saw, then Forewarm beside two comparators at the same hit rate. */
export function reportLines(report: DemoReport, { style, tableColumns }: CliContext): string[] {
  const { comparators, latency_ms: latency } = report;
  const sides = [columnOf(report), columnOf(comparators.reactive), columnOf(comparators.static)];
  const rows = rowTitles.map((title, row) => [title, ...sides.map((side) => side[row] ?? "")]);
  const titles = [
    "",
    "forewarm",
    `reactive, buffer ${comparators.reactive.knob}`,
    `static, ${comparators.static.knob} hosts`,
  ];
  return [
    "",
    style.bold(`Day ${report.day} of ${report.trace}, seed ${report.seed}, ${report.speed} times its speed`),
    `${report.requests} requests, ${report.failed_requests} failed; latency p50 ${latency?.p50.toFixed(0)} ms, p99 ${latency?.p99.toFixed(0)} ms`,
    `lead time median ${formatDuration((report.lead_seconds_median ?? 0) * 1000)} of trace time; promoted with stale configuration: ${report.promoted_with_stale_configuration}`,
    "",
    renderTable({
      columns: titles.map((title, index) => ({ title, align: index === 0 ? ("left" as const) : ("right" as const) })),
      rows,
      width: tableColumns,
    }),
    "",
    style.dim("Durations are trace time. Comparators replay the same day with the lead times measured here, each with"),
    style.dim("the smallest buffer or pool that reaches the same hit rate in hindsight."),
    ...(report.web_ui === null ? [] : [`Web UI ${report.web_ui}`]),
  ];
}
