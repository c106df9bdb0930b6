import { isForewarmError } from "../domain/errors.ts";

/** What the exit status of every command means; scripts rely on it. */
export const exitCodes = {
  ok: 0,
  error: 1,
  /** `plan --detailed-exitcode` found something to change. */
  changesPending: 2,
  /** A policy or a missing approval forbids it. */
  refused: 3,
  /** The wait ended before the work did; the work goes on. */
  timedOut: 4,
  interrupted: 130,
} as const;

const refusals: ReadonlySet<string> = new Set(["POLICY_REFUSED", "CLAIM_REFUSED"]);

/** The exit status for an error that ended a command. */
export function exitCodeOf(error: unknown): number {
  if (!isForewarmError(error)) return exitCodes.error;
  if (error.code === "COMMAND_TIMED_OUT") return exitCodes.timedOut;
  if (error.code === "CANCELLED") return exitCodes.interrupted;
  return refusals.has(error.code) ? exitCodes.refused : exitCodes.error;
}
