import { proxyActivities, proxyLocalActivities } from "@temporalio/workflow";
import type { BootstrapActivities } from "../activities/bootstrap.ts";
import type { CapacityActivities } from "../activities/capacity.ts";
import type { HostChangeActivities } from "../activities/host-changes.ts";
import type { LaunchActivities } from "../activities/launch.ts";
import type { SagaActivities } from "../activities/sagas.ts";
import type { StoreActivities } from "../activities/store.ts";
import type { TrafficActivities } from "../activities/traffic.ts";
import { priorities, taskQueues } from "./messages.ts";

/** Retries are Temporal's: short at first because local hosts answer in milliseconds, bounded so that clouds are spared. */
const retry = { initialInterval: "100ms", backoffCoefficient: 1.6, maximumInterval: "10s" } as const;

/** One attempt in the worker itself: the quick way to put a claimed host into rotation. */
export const quickTraffic = proxyLocalActivities<TrafficActivities>({
  startToCloseTimeout: "300ms",
  retry: { maximumAttempts: 1 },
});

/** The same calls as regular activities, tried until they succeed. */
export const traffic = proxyActivities<TrafficActivities>({
  taskQueue: taskQueues.workflows,
  startToCloseTimeout: "5s",
  retry,
  priority: { priorityKey: priorities.promote },
});

const drainMarginMs = 60_000;

/** Waits for users' requests to end, hence the long deadline. */
export function drainActivities(deadlineMs: number): TrafficActivities {
  return proxyActivities<TrafficActivities>({
    taskQueue: taskQueues.ssh,
    startToCloseTimeout: deadlineMs + drainMarginMs,
    heartbeatTimeout: "5s",
    retry,
  });
}

export const capacity = proxyActivities<CapacityActivities>({
  taskQueue: taskQueues.ml,
  startToCloseTimeout: "3s",
  scheduleToCloseTimeout: "15s",
  retry: { ...retry, maximumAttempts: 3 },
});

/** Given up after a while, without room at once: the next tick decides anew, for another zone, and people see a notice. */
export const launches = proxyActivities<LaunchActivities>({
  taskQueue: taskQueues.cloud,
  startToCloseTimeout: "60s",
  scheduleToCloseTimeout: "90s",
  heartbeatTimeout: "10s",
  retry: { ...retry, nonRetryableErrorTypes: ["INSUFFICIENT_CAPACITY"] },
});

export const sagas = proxyActivities<SagaActivities>({
  taskQueue: taskQueues.workflows,
  startToCloseTimeout: "10s",
  retry,
});

/** Undo must not give up soon: what it frees costs money. */
export const releases = proxyActivities<HostChangeActivities>({
  taskQueue: taskQueues.cloud,
  startToCloseTimeout: "60s",
  scheduleToCloseTimeout: "1h",
  heartbeatTimeout: "10s",
  retry,
});

/** One step on a host with its own deadline, retried within it. */
export function phaseActivities(phase: {
  name: string;
  deadlineSeconds: number;
  queue: "cloud" | "ssh";
}): BootstrapActivities & HostChangeActivities {
  return proxyActivities<BootstrapActivities & HostChangeActivities>({
    taskQueue: taskQueues[phase.queue],
    summary: phase.name,
    startToCloseTimeout: phase.deadlineSeconds * 1000,
    scheduleToCloseTimeout: phase.deadlineSeconds * 1000,
    heartbeatTimeout: "3s",
    retry: { ...retry, maximumInterval: "2s" },
    priority: { priorityKey: priorities.bootstrap },
  });
}

export const records = proxyActivities<StoreActivities>({
  taskQueue: taskQueues.store,
  startToCloseTimeout: "10s",
  retry,
});
