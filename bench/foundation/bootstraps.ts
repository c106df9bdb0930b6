import { z } from "zod";
import { type BenchContext, quantile } from "../harness.ts";
import type { MeasuredFleet } from "./measured-fleet.ts";
import { atMost, begin, type Part, rowOf, scaled } from "./part.ts";

const singleSecondsMax = 3;
const atOnceSecondsMax = 20;
const leadTimeSchema = z.object({ hostId: z.string(), phase: z.string(), seconds: z.number(), atMs: z.number() });
type LeadTime = z.infer<typeof leadTimeSchema>;

type Group = "single" | "at-once" | "fill";

/** Raises standby to `standby` hosts, waits for them, and gives the ledger's rows of the new ones. */
async function grow(fleet: MeasuredFleet, standby: number, known: Set<string>): Promise<LeadTime[]> {
  await fleet.resize({ standby });
  await fleet.until(({ claimable }) => claimable >= standby, 300);
  const rows = (await fleet.rows("lead_times")).map((row) => leadTimeSchema.parse(row));
  const added = rows.filter(({ hostId }) => !known.has(hostId));
  for (const { hostId } of added) known.add(hostId);
  return added;
}

function keep(context: BenchContext, group: Group, rows: LeadTime[]): void {
  for (const { hostId, phase, seconds, atMs } of rows)
    context.event({ kind: "bootstrap-phase", group, hostId, phase, seconds, atMs });
}

function secondsOf(rows: LeadTime[], phase: string): number[] {
  return rows.filter((row) => row.phase === phase).map(({ seconds }) => seconds);
}

/** From the decision to the last host that is ready. */
function spanSeconds(rows: LeadTime[]): number {
  const totals = rows.filter(({ phase }) => phase === "total");
  const decidedMs = Math.min(...totals.map(({ atMs, seconds }) => atMs - seconds * 1000));
  return (Math.max(...totals.map(({ atMs }) => atMs)) - decidedMs) / 1000;
}

function phaseRows(group: Group, rows: LeadTime[]): Part["table"] {
  const phases = [...new Set(rows.map(({ phase }) => phase))];
  return phases.map((phase) => rowOf(`bootstrap ${group}: ${phase}`, secondsOf(rows, phase), "s"));
}

/** Starts hosts one at a time, then many at once, and ends with `standby` of them ready. */
export async function measureBootstraps(context: BenchContext, fleet: MeasuredFleet, standby: number): Promise<Part> {
  const known = new Set((await fleet.rows("lead_times")).map((row) => leadTimeSchema.parse(row).hostId));
  const singles = scaled(9, context.scale, 3);
  const atOnce = scaled(20, context.scale, 4);
  begin(context, `bootstrap of ${singles} hosts, one at a time`);
  const single: LeadTime[] = [];
  for (let count = 1; count <= singles; count += 1) single.push(...(await grow(fleet, count, known)));
  keep(context, "single", single);
  begin(context, `bootstrap of ${atOnce} hosts at once`);
  const many = await grow(fleet, singles + atOnce, known);
  keep(context, "at-once", many);
  if (singles + atOnce < standby) keep(context, "fill", await grow(fleet, standby, known));
  return {
    claims: [
      atMost("bootstrap of one host p50", quantile(secondsOf(single, "total"), 0.5), [singleSecondsMax, "s"]),
      atMost("bootstrap of hosts at once", spanSeconds(many), [atOnceSecondsMax, "s"]),
    ],
    table: [...phaseRows("single", single), ...phaseRows("at-once", many)],
  };
}
