import type { Client } from "@temporalio/client";
import { WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError } from "@temporalio/client";
import { TypedSearchAttributes } from "@temporalio/common";
import { ForewarmError } from "../domain/errors.ts";
import type { SagaDependencies, SagaStart } from "../activities/sagas.ts";
import { taskQueues, workflowNames } from "../workflows/messages.ts";
import { searchAttributes } from "../workflows/search-attributes.ts";

/** A bootstrap of one host happens once; updates and retirements of a host may follow each other. */
function reusePolicy(start: SagaStart): "REJECT_DUPLICATE" | "ALLOW_DUPLICATE" {
  return start.workflow === workflowNames.bootstrapHost ? "REJECT_DUPLICATE" : "ALLOW_DUPLICATE";
}

/** Whether the newest run of the id, ended or not, is of this very start. */
async function isStarted(client: Client, { workflowId, startId }: SagaStart): Promise<boolean> {
  const newest = await client.workflow
    .getHandle(workflowId)
    .describe()
    .catch((error: unknown) => {
      if (error instanceof WorkflowNotFoundError) return null;
      throw error;
    });
  return newest?.memo?.["startId"] === startId;
}

/** A saga tells its fleet before it ends, so the next one of the same host may come a moment too early. */
async function checkSameStart(client: Client, start: SagaStart): Promise<void> {
  if (start.startId === null || (await isStarted(client, start))) return;
  throw new ForewarmError("THROTTLED", `an earlier ${start.workflowId} has not ended yet`);
}

/** How activities start sagas: by id, so that a repeated start changes nothing. */
export function createSagaStarter(client: Client): SagaDependencies {
  return {
    async startWorkflow(start, repeated = false) {
      if (repeated && start.startId !== null && (await isStarted(client, start))) return;
      const options = {
        workflowId: start.workflowId,
        taskQueue: taskQueues.workflows,
        args: [start.args],
        workflowIdReusePolicy: reusePolicy(start),
        workflowIdConflictPolicy: start.startId === null ? ("USE_EXISTING" as const) : ("FAIL" as const),
        memo: { startId: start.startId },
        workflowTaskTimeout: "5s" as const,
        staticSummary: start.summary,
        typedSearchAttributes: new TypedSearchAttributes([
          { key: searchAttributes.fleet, value: start.fleet },
          { key: searchAttributes.host, value: start.hostId },
          { key: searchAttributes.epoch, value: start.epoch },
        ]),
      };
      await client.workflow.start(start.workflow, options).catch(async (error: unknown) => {
        if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
        await checkSameStart(client, start);
      });
    },

    async isRunning(workflowId) {
      return client.workflow
        .getHandle(workflowId)
        .describe()
        .then((description) => description.status.name === "RUNNING")
        .catch((error: unknown) => {
          if (error instanceof WorkflowNotFoundError) return false;
          throw error;
        });
    },
  };
}
