import { ActivityFailure, ApplicationFailure, TimeoutFailure } from "@temporalio/workflow";

export interface FailureReason {
  /** Code of the error catalogue, or a Temporal kind such as TIMEOUT. */
  code: string;
  message: string;
}

/** Why an activity failed, down to the cause a person can act on. */
export function failureReason(error: unknown): FailureReason {
  if (error instanceof ActivityFailure && error.cause !== undefined) return failureReason(error.cause);
  if (error instanceof ApplicationFailure) return { code: error.type ?? "UNKNOWN", message: error.message };
  if (error instanceof TimeoutFailure) {
    const last = error.cause === undefined ? null : failureReason(error.cause);
    return {
      code: last?.code ?? "TIMEOUT",
      message: last === null ? "the deadline passed" : `the deadline passed; last: ${last.message}`,
    };
  }
  return { code: "UNKNOWN", message: error instanceof Error ? error.message : String(error) };
}
