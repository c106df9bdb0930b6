import { asError } from "./deadline.ts";

interface Waiting {
  resolve(result: unknown): void;
  reject(error: Error): void;
}

export interface PendingRequests {
  /** The answer to come under a number; rejects with the signal's reason when it aborts first. */
  expect(id: number, signal: AbortSignal): Promise<unknown>;
  /** Takes the waiter of a number out; undefined when it gave up already. */
  take(id: number): Waiting | undefined;
  rejectAll(error: Error): void;
}

/** Requests that were sent and not yet answered. */
export function createPendingRequests(): PendingRequests {
  const waiting = new Map<number, Waiting>();
  const take = (id: number) => {
    const found = waiting.get(id);
    waiting.delete(id);
    return found;
  };
  return {
    expect: (id, signal) =>
      new Promise((resolve, reject) => {
        const giveUp = () => take(id)?.reject(asError(signal.reason));
        const settled = () => signal.removeEventListener("abort", giveUp);
        waiting.set(id, {
          resolve(result) {
            settled();
            resolve(result);
          },
          reject(error) {
            settled();
            reject(error);
          },
        });
        signal.addEventListener("abort", giveUp, { once: true });
        if (signal.aborted) giveUp();
      }),
    take,
    rejectAll(error) {
      for (const id of waiting.keys()) take(id)?.reject(error);
    },
  };
}
