import { z } from "zod";
import type { FleetHandle } from "../fleet-handle.ts";
import type { LookUpRequest } from "../../workflows/messages.ts";
import type { TraceTime } from "../../embedded/demo/trace-time.ts";
import type { DayEvents, HostStart } from "../../simulation/report.ts";

const claimSchema = z.object({
  claimId: z.string(),
  hostId: z.string(),
  kind: z.enum(["warm", "waited", "withdrawn"]),
  requestedAtMs: z.number(),
  grantedAtMs: z.number(),
  epoch: z.number(),
  goldenEpoch: z.number(),
});
const leadTimeSchema = z.object({ hostId: z.string(), phase: z.string(), seconds: z.number(), atMs: z.number() });
const decisionSchema = z.object({
  atMs: z.number(),
  standby: z.number(),
  serving: z.number(),
  demand: z.number().nullable(),
});

export type ClaimRecord = z.infer<typeof claimSchema>;
export type LeadTimeRecord = z.infer<typeof leadTimeSchema>;
export type DecisionRecord = z.infer<typeof decisionSchema>;

/** What the store recorded of a replay; everything in the report is computed from these rows. */
export interface ReplayRecords {
  claims: ClaimRecord[];
  leadTimes: LeadTimeRecord[];
  decisions: DecisionRecord[];
  /** Decision times of hosts that were still being bootstrapped at the end. */
  unfinishedStartsMs: number[];
}

async function readAll<Row>(fleet: FleetHandle, table: LookUpRequest["table"], schema: z.ZodType<Row>): Promise<Row[]> {
  const rows: Row[] = [];
  for (let after: number | null = 0; after !== null;) {
    const page = await fleet.lookUp({ table, after });
    rows.push(...page.rows.map((row) => schema.parse(row)));
    after = page.next;
  }
  return rows;
}

/** Reads the rows of a replay through the worker. */
export async function readRecords(fleet: FleetHandle): Promise<ReplayRecords> {
  const { hosts } = await fleet.describe();
  return {
    claims: await readAll(fleet, "claims", claimSchema),
    leadTimes: await readAll(fleet, "lead_times", leadTimeSchema),
    decisions: await readAll(fleet, "decisions", decisionSchema),
    unfinishedStartsMs: hosts.filter((host) => host.state === "allocating").map((host) => host.sinceMs),
  };
}

interface Day {
  time: TraceTime;
  endWallMs: number;
}

function isWithin({ time, endWallMs }: Day, wallMs: number): boolean {
  return wallMs >= time.dayStartWallMs && wallMs < endWallMs;
}

function startsOf(records: ReplayRecords, day: Day): HostStart[] {
  const firstClaim = new Map<string, number>();
  for (const claim of records.claims) {
    const at = claim.kind === "waited" ? claim.requestedAtMs : claim.grantedAtMs;
    if (claim.kind !== "withdrawn")
      firstClaim.set(claim.hostId, Math.min(at, firstClaim.get(claim.hostId) ?? Infinity));
  }
  const trace = (wallMs: number): number => day.time.traceMsOf(wallMs);
  const finished = records.leadTimes
    .filter((row) => row.phase === "total")
    .map((row) => ({ decidedWallMs: row.atMs - row.seconds * 1000, row }))
    .filter(({ decidedWallMs }) => isWithin(day, decidedWallMs))
    .map(({ decidedWallMs, row }): HostStart => {
      const claimed = firstClaim.get(row.hostId);
      const claimedAtMs = claimed === undefined || claimed >= day.endWallMs ? null : trace(claimed);
      return { decidedAtMs: trace(decidedWallMs), verifiedAtMs: trace(row.atMs), claimedAtMs };
    });
  const unfinished = records.unfinishedStartsMs
    .filter((wallMs) => isWithin(day, wallMs))
    .map((wallMs): HostStart => ({ decidedAtMs: trace(wallMs), verifiedAtMs: null, claimedAtMs: null }));
  return [...finished, ...unfinished];
}

/** Each count of standby holds until the next decision. */
function idleWallMs(decisions: readonly DecisionRecord[], day: Day): number {
  return decisions.reduce((sum, decision, index) => {
    const from = Math.max(decision.atMs, day.time.dayStartWallMs);
    const to = Math.min(decisions[index + 1]?.atMs ?? day.endWallMs, day.endWallMs);
    return sum + Math.max(0, to - from) * decision.standby;
  }, 0);
}

/** The day in trace time, from the recorded rows alone. */
export function dayEventsOf(records: ReplayRecords, day: Day & { steps: number }): DayEvents {
  const claims = records.claims.filter((claim) => isWithin(day, claim.requestedAtMs));
  const waitsMs = claims.map((claim) =>
    claim.kind === "warm"
      ? 0
      : Math.max(1, day.time.traceDurationMs(Math.min(claim.grantedAtMs, day.endWallMs) - claim.requestedAtMs)),
  );
  return {
    steps: day.steps,
    waitsMs,
    starts: startsOf(records, day),
    idleHostMs: day.time.traceDurationMs(idleWallMs(records.decisions, day)),
    shortageHostMs: waitsMs.reduce((sum, wait) => sum + wait, 0),
    staleHandOuts: claims.filter((claim) => claim.kind !== "withdrawn" && claim.epoch < claim.goldenEpoch).length,
  };
}

/** Measured lead times in trace seconds, for the comparators. */
export function leadTimeTraceSeconds(records: ReplayRecords, time: TraceTime): number[] {
  return records.leadTimes.filter((row) => row.phase === "total").map((row) => row.seconds * time.speed);
}
