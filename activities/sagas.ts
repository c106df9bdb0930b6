import { Context } from "@temporalio/activity";
import { translateErrors } from "./translate-errors.ts";

export interface SagaStart {
  workflow: string;
  workflowId: string;
  args: object;
  summary: string;
  fleet: string;
  hostId: string;
  epoch: number;
  /**
   * Names this very start. A saga with one waits for an earlier saga of the same id to end; without one, a saga of
   * the same id that runs already is as good.
   */
  startId: string | null;
}

export interface SagaDependencies {
  /**
   * Starts a workflow by id; a repeated start changes nothing, also when what it started has ended since. Throws
   * THROTTLED while an earlier one still ends.
   */
  startWorkflow: (start: SagaStart, repeated?: boolean) => Promise<void>;
  /** Whether a workflow of this id is still running. */
  isRunning: (workflowId: string) => Promise<boolean>;
}

/** Starts and observes the sagas of a fleet. */
export function createSagaActivities({ startWorkflow, isRunning }: SagaDependencies) {
  return translateErrors({
    async startSagas(starts: SagaStart[]): Promise<void> {
      // An attempt that was cut off may have started some of them.
      const repeated = Context.current().info.attempt > 1;
      for (const start of starts) await startWorkflow(start, repeated);
    },

    /** Of the given workflow ids, those that no longer run: their fleet will hear nothing more from them. */
    async endedSagas(workflowIds: string[]): Promise<string[]> {
      const ended: string[] = [];
      for (const workflowId of workflowIds) {
        if (!(await isRunning(workflowId))) ended.push(workflowId);
      }
      return ended;
    },
  });
}

export type SagaActivities = ReturnType<typeof createSagaActivities>;
