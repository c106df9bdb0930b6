import { setTimeout as wait } from "node:timers/promises";

/** Aborts on the first Ctrl-C, in place of ending the process; waiting then stops, the work itself goes on elsewhere. */
export function untilInterrupted(): AbortSignal {
  const controller = new AbortController();
  process.once("SIGINT", () => controller.abort());
  return controller.signal;
}

/** Waits, or returns early when interrupted. */
export async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await wait(milliseconds, undefined, { signal }).catch(() => undefined);
}

/** Waits for `call` unless `signal` fires first; the call goes on, and nobody looks at how it ends. */
export async function abandonable<Answer>(
  call: Promise<Answer>,
  signal: AbortSignal,
  error: () => Error,
): Promise<Answer> {
  call.catch(() => undefined);
  if (signal.aborted) throw error();
  let giveUp = (): void => undefined;
  const abandoned = new Promise<never>((_, reject) => {
    giveUp = () => reject(error());
  });
  signal.addEventListener("abort", giveUp, { once: true });
  try {
    return await Promise.race([call, abandoned]);
  } finally {
    signal.removeEventListener("abort", giveUp);
  }
}
