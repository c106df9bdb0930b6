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
