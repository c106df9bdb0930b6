import { getExternalWorkflowHandle, setCurrentDetails, upsertSearchAttributes } from "@temporalio/workflow";
import type { UpdateOutcome } from "../domain/host/fleet-state.ts";
import { failureReason } from "./failure-reason.ts";
import type { UpdateHostArguments } from "./messages.ts";
import { updateEndedSignal, workflowIds } from "./messages.ts";
import { drain } from "./drain.ts";
import { phaseActivities, records } from "./proxies.ts";
import { searchAttributes } from "./search-attributes.ts";

function showStep(args: UpdateHostArguments, step: string): void {
  upsertSearchAttributes([{ key: searchAttributes.phase, value: step }]);
  setCurrentDetails(`**${args.hostId}** ${args.reason}: ${step}`);
}

async function runSteps(args: UpdateHostArguments): Promise<UpdateOutcome> {
  const deadlines = args.template.bootstrap.deadline_seconds;
  if (args.drain) {
    showStep(args, "draining");
    const deadlineMs = args.template.load_balancer.drain_deadline_seconds * 1000;
    await drain(args, deadlineMs);
  }
  if (args.install !== null) {
    showStep(args, "configuring");
    const name = `configure ${args.hostId} to epoch ${args.golden.epoch}`;
    const activities = phaseActivities({ name, deadlineSeconds: deadlines.configure, queue: "ssh" });
    await activities.refreshHost({ ...args, fence: args.install.fence });
  }
  showStep(args, "verifying");
  const activities = phaseActivities({
    name: `verify ${args.hostId}`,
    deadlineSeconds: deadlines.verify,
    queue: "ssh",
  });
  const verified = await activities.reverifyHost(args);
  return { hostId: args.hostId, outcome: "settled", code: "", wanted: args.golden.digest, reason: "", ...verified };
}

async function failedUpdate(args: UpdateHostArguments, error: unknown): Promise<UpdateOutcome> {
  const reason = failureReason(error);
  const text = `${reason.code}: ${reason.message}`;
  const outcome = reason.code === "HOST_KEY_CHANGED" ? "quarantined" : "failed";
  setCurrentDetails(`**${args.hostId}** ${args.reason} ${outcome}\n\n${text}`);
  const { fleet, hostId } = args;
  const detail = { reason: args.reason, epoch: args.golden.epoch };
  await records.recordEvent({ fleet, hostId, kind: `update-${outcome}`, message: text, detail, atMs: Date.now() });
  return {
    hostId,
    outcome,
    code: reason.code,
    wanted: args.golden.digest,
    epoch: 0,
    digest: "",
    verifiedAtMs: 0,
    reason: text,
  };
}

/**
 * Makes a host hold the fleet's golden configuration and proves it: drain when it leaves serving, install and
 * reload when its content differs, verify. Started by id, so changes of one host never overlap.
 */
export async function updateHost(args: UpdateHostArguments): Promise<UpdateOutcome> {
  const outcome = await runSteps(args).catch((error: unknown) => failedUpdate(args, error));
  upsertSearchAttributes([{ key: searchAttributes.phase, value: outcome.outcome }]);
  await getExternalWorkflowHandle(workflowIds.fleet(args.fleet)).signal(updateEndedSignal, outcome);
  return outcome;
}
