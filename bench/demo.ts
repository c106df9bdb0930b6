import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import type { Bench, BenchContext, Claim, Row } from "./harness.ts";

const cli = fileURLToPath(new URL("../dist/client/cli.js", import.meta.url));
const traces = ["nyc_taxi_30min.csv", "azure2017_vm_cpu_5min.csv", "google2019_cell_mem_5min.csv"];
const daysPerTrace = 5;

const side = z.object({
  claims: z.number(),
  warm_hits: z.number(),
  idle_host_minutes: z.number(),
  ready_before_needed: z.number().nullable(),
  host_starts: z.number(),
});
const reportSchema = side.extend({
  trace: z.string(),
  day: z.number(),
  seed: z.number(),
  requests: z.number(),
  failed_requests: z.number(),
  latency_ms: z.object({ p50: z.number(), p99: z.number() }),
  wall_seconds: z.number(),
  comparators: z.object({ static: side.extend({ knob: z.number() }), reactive: side.extend({ knob: z.number() }) }),
});
type Report = z.infer<typeof reportSchema>;

const evidenceSchema = z.object({
  records: z.object({
    claims: z.array(z.record(z.string(), z.unknown())),
    leadTimes: z.array(z.record(z.string(), z.unknown())),
    decisions: z.array(z.record(z.string(), z.unknown())),
    unfinishedStartsMs: z.array(z.number()),
  }),
  load: z.object({ requests: z.number(), failed: z.number() }).loose(),
  speed: z.number(),
  dayStartWallMs: z.number(),
  endWallMs: z.number(),
});

async function capture(args: string[], onLine: (text: string) => void): Promise<string> {
  const child = spawn(process.execPath, [cli, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const chunks: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => onLine(chunk.toString("utf8").trimEnd()));
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  if (code !== 0) throw new Error(`forewarm ${args.join(" ")} ended with ${code}`);
  return Buffer.concat(chunks).toString("utf8");
}

/** One demo as a user runs it, in a process of its own, with its raw rows as events. */
async function playDay(context: BenchContext, run: { trace: string; seed: number }): Promise<Report> {
  const folder = mkdtempSync(join(tmpdir(), "forewarm-bench-demo-"));
  const records = join(folder, "records.json");
  const flags = context.without.has("forecast") ? ["--no-forecast"] : [];
  try {
    const args = [
      "demo",
      "--output",
      "json",
      "--trace",
      run.trace,
      "--seed",
      String(run.seed),
      "--records",
      records,
      ...flags,
    ];
    const report = reportSchema.parse(JSON.parse(await capture(args, () => {})));
    const { records: rows, ...evidence } = evidenceSchema.parse(JSON.parse(readFileSync(records, "utf8")));
    const key = `${run.trace}/${report.day}`;
    context.event({
      kind: "day",
      run: key,
      ...evidence,
      load: { requests: evidence.load.requests, failed: evidence.load.failed },
    });
    for (const row of rows.claims)
      context.event({ ...row, kind: "claim", run: key, outcome: row["kind"], fleet: undefined });
    for (const row of rows.leadTimes) context.event({ ...row, kind: "lead-time", run: key, of: row["phase"] });
    for (const row of rows.decisions)
      context.event({ kind: "decision", run: key, atMs: row["atMs"], standby: row["standby"] });
    for (const atMs of rows.unfinishedStartsMs) context.event({ kind: "unfinished-start", run: key, atMs });
    for (const [name, other] of Object.entries(report.comparators))
      context.event({ kind: "comparator", run: key, name, ...other });
    return report;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function excessMisses({ claims, warm_hits: hits }: Report): number {
  return claims - hits - Math.max(1, Math.floor(claims / 100));
}

function worst(values: readonly number[]): number {
  return Math.max(...values);
}

function claimsOf(reports: readonly Report[]): Claim[] {
  const atMost = (...[name, value, limit, unit = "ratio"]: [string, number, number, string?]): Claim => ({
    name,
    value,
    unit,
    target: { op: "<=", value: limit },
  });
  const total = (of: (report: Report) => number): number => reports.reduce((sum, report) => sum + of(report), 0);
  const idle = total(({ idle_host_minutes: minutes }) => minutes);
  const idleOf = (name: "static" | "reactive"): number => total((report) => report.comparators[name].idle_host_minutes);
  const ready = total((report) => (report.ready_before_needed ?? 0) * report.host_starts);
  const readyReactive = total(
    ({ comparators: { reactive } }) => (reactive.ready_before_needed ?? 0) * reactive.host_starts,
  );
  const starts = total(({ host_starts: count }) => count);
  const startsReactive = total(({ comparators: { reactive } }) => reactive.host_starts);
  return [
    atMost(
      "requests failed, all days",
      total((report) => report.failed_requests),
      0,
      "requests",
    ),
    atMost("misses above max(1, 1 %), worst day", worst(reports.map(excessMisses)), 0, "claims"),
    atMost("idle against reactive, all days", idle / idleOf("reactive"), 0.999),
    atMost("idle against static, all days", idle / idleOf("static"), 0.999),
    {
      name: "ready before needed above reactive, all days",
      value: ready / starts - readyReactive / startsReactive,
      unit: "share",
      target: { op: ">=", value: 0.001 },
    },
  ];
}

function rowOf(report: Report): Row {
  const { comparators } = report;
  return {
    trace: report.trace,
    day: report.day,
    requests: report.requests,
    failed: report.failed_requests,
    p50_ms: report.latency_ms.p50,
    p99_ms: report.latency_ms.p99,
    claims: report.claims,
    misses: report.claims - report.warm_hits,
    starts: report.host_starts,
    ready: report.ready_before_needed ?? Number.NaN,
    ready_reactive: comparators.reactive.ready_before_needed ?? Number.NaN,
    idle_min: report.idle_host_minutes,
    idle_reactive: comparators.reactive.idle_host_minutes,
    idle_static: comparators.static.idle_host_minutes,
    wall_s: report.wall_seconds,
  };
}

function lineOf({ trace, day, claims, warm_hits: hits, idle_host_minutes: idle, comparators }: Report): string {
  const others = `reactive ${Math.round(comparators.reactive.idle_host_minutes)}, static ${Math.round(comparators.static.idle_host_minutes)}`;
  return `${trace} day ${day}: ${claims} claims, ${claims - hits} missed, ${Math.round(idle)} idle host minutes (${others})`;
}

/** The demo over seeded days of three traces, as a user runs it. `--scale 0.2` plays one day of each trace. */
export const bench: Bench = {
  name: "demo",
  describe: "seeded days of three traces on real hosts against two comparators (4 minutes a day)",
  controls: ["forecast"],
  run: async (context) => {
    const days = Math.max(1, Math.round(daysPerTrace * context.scale));
    const reports: Report[] = [];
    for (let index = 0; index < days; index += 1) {
      for (const trace of traces) {
        const report = await playDay(context, { trace, seed: context.seed + 1 + index });
        reports.push(report);
        context.note(lineOf(report));
      }
    }
    return { claims: claimsOf(reports), table: reports.map(rowOf) };
  },
};
