import { getExternalWorkflowHandle, setCurrentDetails, upsertSearchAttributes } from "@temporalio/workflow";
import type { RetireArguments } from "./messages.ts";
import { retireEndedSignal, workflowIds } from "./messages.ts";
import { drain } from "./drain.ts";
import { releases } from "./proxies.ts";
import { searchAttributes } from "./search-attributes.ts";

function showStep(args: RetireArguments, step: string): void {
  upsertSearchAttributes([{ key: searchAttributes.phase, value: step }]);
  setCurrentDetails(`**${args.hostId}** ${step}`);
}

/** Takes a host out for good: drain what still runs on it, keep its last console output, destroy, release. */
export async function retireHost(args: RetireArguments): Promise<void> {
  if (args.drain) {
    showStep(args, "draining");
    await drain(args, args.drainDeadlineSeconds * 1000);
  }
  showStep(args, "destroying");
  await releases.destroyHost({ fleet: args.fleet, hostId: args.hostId });
  showStep(args, "retired");
  // A fleet that ended meanwhile needs no answer: the host is gone either way.
  await getExternalWorkflowHandle(workflowIds.fleet(args.fleet))
    .signal(retireEndedSignal, { hostId: args.hostId })
    .catch(() => setCurrentDetails(`**${args.hostId}** retired; its fleet had ended`));
}
