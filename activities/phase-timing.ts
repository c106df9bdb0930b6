import { activityInfo } from "@temporalio/activity";
import type { BootstrapPhase } from "../domain/host/host-state.ts";
import type { Store } from "../providers/store/store.ts";
import type { BootstrapArguments } from "../workflows/messages.ts";
import { whileHeartbeating } from "./heartbeat.ts";

/** Runs one phase and writes how long it took into the lead-time ledger. */
export type TimedPhase = <Answer>(
  args: BootstrapArguments,
  phase: BootstrapPhase,
  work: () => Promise<Answer>,
) => Promise<Answer>;

/**
 * Times phases from the moment they were scheduled, retries and queueing included; allocation counts from the
 * decision, and the last phase adds the total from decision to standby.
 */
export function createPhaseTiming(store: Store): TimedPhase {
  return async (args, phase, work) => {
    const startedMs = phase === "allocate" ? args.decidedAtMs : activityInfo().scheduledTimestampMs;
    const answer = await whileHeartbeating(work);
    const { fleet, hostId, decidedAtMs } = args;
    const atMs = Date.now();
    const row = (name: string, sinceMs: number) => ({
      fleet,
      hostId,
      phase: name,
      seconds: (atMs - sinceMs) / 1000,
      outcome: "ok" as const,
      atMs,
    });
    const rows = [row(phase, startedMs)];
    if (phase === "verify") rows.push(row("total", decidedAtMs));
    await store.keepLeadTimes(rows);
    return answer;
  };
}
