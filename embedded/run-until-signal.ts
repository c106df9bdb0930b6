import { isForewarmError } from "../domain/errors.ts";
import { startStack, type StackOptions } from "./stack.ts";
import type { StackState } from "./stack-state.ts";

const endSignals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** How a stack ended: in order, by force after a second signal, or before it was ready. */
export type StackEnd = "stopped" | "forced" | "cancelled";

/**
 * Starts a stack and keeps it until SIGINT, SIGTERM or SIGHUP asks for its end; a second signal ends it by force.
 * A signal during the start cancels it. Throws what `startStack` throws, but not the cancellation it was asked for.
 */
export async function runUntilSignal(options: StackOptions, onReady: (info: StackState) => void): Promise<StackEnd> {
  const cancel = new AbortController();
  const force = new AbortController();
  const onSignal = (): void => (cancel.signal.aborted ? force.abort() : cancel.abort());
  for (const signal of endSignals) process.on(signal, onSignal);
  try {
    const stack = await startStack({ ...options, signal: cancel.signal, force: force.signal });
    if (!cancel.signal.aborted) onReady(stack.info);
    await aborted(cancel.signal);
    await stack.stop();
    return force.signal.aborted ? "forced" : "stopped";
  } catch (error) {
    if (isForewarmError(error) && error.code === "CANCELLED") return "cancelled";
    throw error;
  } finally {
    for (const signal of endSignals) process.off(signal, onSignal);
  }
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
