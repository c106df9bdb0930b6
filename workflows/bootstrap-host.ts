import {
  getExternalWorkflowHandle,
  isCancellation,
  setCurrentDetails,
  setHandler,
  upsertSearchAttributes,
} from "@temporalio/workflow";
import type { BootstrapOutcome } from "../domain/host/fleet-state.ts";
import type { BootstrapPhase } from "../domain/host/host-state.ts";
import { bootstrapPhases } from "../domain/host/host-state.ts";
import { createCompensation } from "./compensation.ts";
import { failureReason } from "./failure-reason.ts";
import type { BootstrapArguments, BootstrapDescription } from "./messages.ts";
import { bootstrapEndedSignal, describeBootstrapQuery, workflowIds } from "./messages.ts";
import { phaseActivities, records, releases } from "./proxies.ts";
import { searchAttributes } from "./search-attributes.ts";

const cloudPhases: readonly BootstrapPhase[] = ["allocate", "boot"];

function showPhases(args: BootstrapArguments, progress: BootstrapDescription): void {
  const rows = progress.phases.map((done) => `| ${done.phase} | ${done.seconds.toFixed(2)} s |`);
  const current = progress.phase === "standby" ? [] : [`| **${progress.phase}** | running |`];
  setCurrentDetails(
    [`**${args.hostId}** (zone ${args.zone})`, "", "| phase | time |", "| --- | --- |", ...rows, ...current].join("\n"),
  );
}

/** Runs one phase as one activity and keeps what a person looks at up to date. */
async function runPhase(
  args: BootstrapArguments,
  phase: BootstrapPhase,
  progress: BootstrapDescription,
): Promise<BootstrapOutcome | null> {
  const startedMs = Date.now();
  progress.phase = phase;
  upsertSearchAttributes([{ key: searchAttributes.phase, value: phase }]);
  showPhases(args, progress);
  const deadlineSeconds = args.template.bootstrap.deadline_seconds[phase];
  const queue = cloudPhases.includes(phase) ? "cloud" : "ssh";
  const activities = phaseActivities({ name: `${phase} ${args.hostId}`, deadlineSeconds, queue });
  const verified = await activities[`${phase}Host`](args);
  progress.phases.push({ phase, seconds: (Date.now() - startedMs) / 1000 });
  return verified ?? null;
}

async function runPhases(args: BootstrapArguments, progress: BootstrapDescription): Promise<BootstrapOutcome> {
  let outcome: BootstrapOutcome | null = null;
  for (const phase of bootstrapPhases) outcome = await runPhase(args, phase, progress);
  if (outcome === null) throw new Error("verify ended without an outcome");
  return outcome;
}

async function tellFleet(args: BootstrapArguments, outcome: BootstrapOutcome): Promise<boolean> {
  const fleet = getExternalWorkflowHandle(workflowIds.fleet(args.fleet));
  return fleet.signal(bootstrapEndedSignal, outcome).then(
    () => true,
    () => false,
  );
}

function failedOutcome(args: BootstrapArguments, phase: string, error: unknown): BootstrapOutcome {
  const reason = failureReason(error);
  return {
    hostId: args.hostId,
    outcome: reason.code === "HOST_KEY_CHANGED" ? "quarantined" : "failed",
    phase: bootstrapPhases.find((known) => known === phase) ?? "allocate",
    epoch: 0,
    digest: "",
    verifiedAtMs: 0,
    reason: `${reason.code}: ${reason.message}`,
  };
}

async function recordFailure(
  args: BootstrapArguments,
  outcome: BootstrapOutcome,
  failedUndos: string[],
): Promise<void> {
  const kind = failedUndos.length > 0 ? "compensation-failed" : `bootstrap-${outcome.outcome}`;
  if (failedUndos.length > 0) upsertSearchAttributes([{ key: searchAttributes.phase, value: kind }]);
  setCurrentDetails(
    `**${args.hostId}** ${outcome.outcome} in **${outcome.phase}**\n\n${outcome.reason}\n\n${failedUndos.join("\n")}`,
  );
  await records.recordEvent({
    fleet: args.fleet,
    hostId: args.hostId,
    kind,
    message: `${outcome.phase}: ${outcome.reason}`,
    detail: { failedUndos },
    atMs: Date.now(),
  });
}

/**
 * Brings one machine from nothing to verified standby: allocate, boot, connect, stage, configure, start, verify.
 * A failure at any point releases what was allocated and tells the fleet; a changed host key keeps the machine,
 * quarantined, for a person to look at.
 */
export async function bootstrapHost(args: BootstrapArguments): Promise<BootstrapOutcome> {
  const progress: BootstrapDescription = { hostId: args.hostId, phase: "planned", startedAtMs: Date.now(), phases: [] };
  setHandler(describeBootstrapQuery, () => progress, { description: "Phases done so far and their seconds" });
  const compensation = createCompensation();
  compensation.register({ label: "release machine", run: () => releases.releaseMachine(args) });
  try {
    const outcome = await runPhases(args, progress);
    progress.phase = "standby";
    upsertSearchAttributes([{ key: searchAttributes.phase, value: "standby" }]);
    showPhases(args, progress);
    if (!(await tellFleet(args, outcome))) await compensation.run();
    return outcome;
  } catch (error) {
    const outcome = failedOutcome(args, progress.phase, error);
    const failedUndos = outcome.outcome === "quarantined" ? [] : await compensation.run();
    if (isCancellation(error)) throw error;
    await recordFailure(args, outcome, failedUndos);
    await tellFleet(args, outcome);
    if (failedUndos.length > 0) throw error;
    return outcome;
  }
}
