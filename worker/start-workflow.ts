import type { Client } from "@temporalio/client";
import { WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError } from "@temporalio/client";
import { TypedSearchAttributes } from "@temporalio/common";
import type { SagaDependencies, SagaStart } from "../activities/sagas.ts";
import { taskQueues, workflowNames } from "../workflows/messages.ts";
import { searchAttributes } from "../workflows/search-attributes.ts";

/** A bootstrap of one host happens once; updates and retirements of a host may follow each other. */
function reusePolicy(start: SagaStart): "REJECT_DUPLICATE" | "ALLOW_DUPLICATE" {
  return start.workflow === workflowNames.bootstrapHost ? "REJECT_DUPLICATE" : "ALLOW_DUPLICATE";
}

/** How activities start sagas: by id, so that a repeated start changes nothing. */
export function createSagaStarter(client: Client): SagaDependencies {
  return {
    async startWorkflow(start) {
      const options = {
        workflowId: start.workflowId,
        taskQueue: taskQueues.workflows,
        args: [start.args],
        workflowIdReusePolicy: reusePolicy(start),
        workflowIdConflictPolicy: "USE_EXISTING" as const,
        workflowTaskTimeout: "5s" as const,
        staticSummary: start.summary,
        typedSearchAttributes: new TypedSearchAttributes([
          { key: searchAttributes.fleet, value: start.fleet },
          { key: searchAttributes.host, value: start.hostId },
          { key: searchAttributes.epoch, value: start.epoch },
        ]),
      };
      await client.workflow.start(start.workflow, options).catch((error: unknown) => {
        if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
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
