import { ForewarmError, isForewarmError } from "../../../domain/errors.ts";

export interface DeadlineOptions {
  timeoutMs: number;
  signal?: AbortSignal | undefined;
}

/**
 * Runs work under one signal that aborts with COMMAND_TIMED_OUT after `timeoutMs`, or with CANCELLED when the
 * caller's own signal aborts (or with that signal's reason, where it is a ForewarmError).
 * The work must end when the signal aborts.
 */
export async function withDeadline<T>(
  subject: string,
  options: DeadlineOptions,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const cancel = () => controller.abort(cancelReason(subject, options.signal?.reason));
  const expire = () =>
    controller.abort(new ForewarmError("COMMAND_TIMED_OUT", `${subject}: no end within ${options.timeoutMs} ms`));
  if (options.signal?.aborted) cancel();
  options.signal?.addEventListener("abort", cancel, { once: true });
  const timer = setTimeout(expire, options.timeoutMs);
  try {
    controller.signal.throwIfAborted();
    return await work(controller.signal);
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener("abort", cancel);
  }
}

/** Waits for a promise, but rejects with the signal's reason as soon as it aborts. */
export async function unlessAborted<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  let stop = () => {};
  const aborted = new Promise<never>((_resolve, reject) => {
    stop = () => reject(asError(signal.reason));
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** The reason of an aborted signal as an error. */
export function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new ForewarmError("CANCELLED", String(reason));
}

function cancelReason(subject: string, reason: unknown): Error {
  return isForewarmError(reason) ? reason : new ForewarmError("CANCELLED", `${subject}: cancelled`, { cause: reason });
}
