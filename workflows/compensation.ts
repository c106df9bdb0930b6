import { CancellationScope } from "@temporalio/workflow";

/** One way back; a no-op when the step it undoes never ran, and safe to repeat. */
export interface Undo {
  label: string;
  run: () => Promise<void>;
}

export interface Compensation {
  /** Call before the step, never after: a step whose reply is lost may have taken effect. */
  register(undo: Undo): void;
  /** Runs the undos newest first, shielded from cancellation; returns the labels of those that failed. */
  run(): Promise<string[]>;
}

/** A saga's list of undos. A failed undo does not keep the others from running. */
export function createCompensation(): Compensation {
  const undos: Undo[] = [];
  return {
    register: (undo) => undos.push(undo),
    run: () =>
      CancellationScope.nonCancellable(async () => {
        const failed: string[] = [];
        for (const undo of undos.reverse()) {
          await undo.run().catch((error: unknown) => failed.push(`${undo.label}: ${String(error)}`));
        }
        return failed;
      }),
  };
}
