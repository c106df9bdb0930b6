import { ActivityFailure, ApplicationFailure, TimeoutFailure } from "@temporalio/workflow";

export interface FailureReason {
  /** Code of the error catalogue, or a Temporal kind such as TIMEOUT. */
  code: string;
  message: string;
}

function timeoutReason({ cause }: TimeoutFailure): FailureReason {
  if (cause === undefined) return { code: "TIMEOUT", message: "the deadline passed" };
  const last = failureReason(cause);
  return { code: last.code, message: `the deadline passed; last: ${last.message}` };
}

/** Why an activity failed, down to the cause a person can act on. */
export function failureReason(error: unknown): FailureReason {
  if (error instanceof ActivityFailure && error.cause !== undefined) return failureReason(error.cause);
  if (error instanceof ApplicationFailure) return { code: error.type ?? "UNKNOWN", message: error.message };
  if (error instanceof TimeoutFailure) return timeoutReason(error);
  return { code: "UNKNOWN", message: error instanceof Error ? error.message : String(error) };
}
