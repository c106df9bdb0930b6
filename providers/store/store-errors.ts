import { ForewarmError, isForewarmError } from "../../domain/errors.ts";

/** SQLSTATE codes and classes, https://www.postgresql.org/docs/15/errcodes-appendix.html */
const diskFullStates = new Set(["53100", "ENOSPC", "EDQUOT"]);
const unreachableStates = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "ENOENT",
  "EAI_AGAIN",
  "EPIPE",
  "ETIMEDOUT",
  "3D000",
  "53300",
  "57014",
  "57P01",
  "57P02",
  "57P03",
  "57P05",
]);
/** Connection exception, invalid authorization. */
const unreachableClasses = ["08", "28"];
/** The pg client reports these without a code. */
const unreachableMessages =
  /Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error|not queryable|server closed the connection|SASL|driver has already been destroyed|Cannot use a pool after calling end/;
/** What the pg client says when its `query_timeout` is over. */
export const readTimeoutMessage = "Query read timeout";
const diskFullMessage = /No space left on device/;

/** The SQLSTATE of a database error, or the system's error code; undefined when there is neither. */
export function sqlState(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

function isUnreachable(state: string | undefined, message: string): boolean {
  if (state === undefined) return message === readTimeoutMessage || unreachableMessages.test(message);
  return (
    unreachableStates.has(state) ||
    unreachableClasses.some((prefix) => /^\w{5}$/.test(state) && state.startsWith(prefix))
  );
}

/** The one place where a driver's error becomes DISK_FULL or STORE_UNREACHABLE; any other error is a defect, returned as it is. */
export function storeError(error: unknown): unknown {
  if (isForewarmError(error)) return error;
  const state = sqlState(error);
  const message = error instanceof Error ? error.message : String(error);
  if (diskFullStates.has(state ?? "") || diskFullMessage.test(message)) {
    return new ForewarmError("DISK_FULL", `the store's disk is full: ${message}`, { cause: error });
  }
  if (isUnreachable(state, message)) return unreachable(message, error);
  return error;
}

/** STORE_UNREACHABLE with the reason in words. */
export function unreachable(reason: string, cause?: unknown): ForewarmError {
  return new ForewarmError("STORE_UNREACHABLE", `the store does not answer: ${reason || "connection failed"}`, {
    cause,
  });
}
