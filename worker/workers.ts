import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { NativeConnection, WorkerOptions } from "@temporalio/worker";
import { Worker } from "@temporalio/worker";
import { taskQueues } from "../workflows/messages.ts";
import type { activitiesByQueue } from "./activity-groups.ts";

export interface WorkersRequest {
  connection: NativeConnection;
  namespace: string;
  activities: ReturnType<typeof activitiesByQueue>;
  /** Prefix of the task queues, for tests that share a server. */
  identity: string;
}

const builtBundle = fileURLToPath(new URL("../workflow-bundle.js", import.meta.url));
const isSource = import.meta.url.endsWith(".ts");

function workflowCode(): Pick<WorkerOptions, "workflowBundle" | "workflowsPath"> {
  if (!isSource && existsSync(builtBundle)) return { workflowBundle: { codePath: builtBundle } };
  return { workflowsPath: fileURLToPath(new URL(`../workflows/index.${isSource ? "ts" : "js"}`, import.meta.url)) };
}

/** One worker per task queue; activity-only ones carry no workflow code. */
export async function createWorkers({
  connection,
  namespace,
  activities,
  identity,
}: WorkersRequest): Promise<Worker[]> {
  const shared = { connection, namespace, identity, shutdownGraceTime: "5s", shutdownForceTime: "10s" } as const;
  const workflowWorker = Worker.create({
    ...shared,
    ...workflowCode(),
    taskQueue: taskQueues.workflows,
    activities: activities.workflows,
    // A killed worker's cached runs are handed over after this long.
    stickyQueueScheduleToStartTimeout: "1s",
    maxCachedWorkflows: 500,
  });
  const others = (["cloud", "ssh", "ml", "store"] as const).map((queue) =>
    Worker.create({
      ...shared,
      taskQueue: taskQueues[queue],
      activities: activities[queue],
      maxConcurrentActivityTaskExecutions: queue === "ml" ? 4 : 200,
    }),
  );
  return Promise.all([workflowWorker, ...others]);
}
