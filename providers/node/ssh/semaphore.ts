import { unlessAborted } from "./deadline.ts";

export interface Semaphore {
  /** Runs work once a place is free, in the order of asking; rejects with the signal's reason while it waits. */
  run<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T>;
}

/** Lets at most `places` pieces of work run at once. */
export function createSemaphore(places: number): Semaphore {
  let free = places;
  const waiting: (() => void)[] = [];
  const release = () => {
    const next = waiting.shift();
    if (next === undefined) free += 1;
    else next();
  };
  const acquire = async (signal: AbortSignal): Promise<void> => {
    if (free > 0) {
      free -= 1;
      return;
    }
    let grant = () => {};
    const granted = new Promise<void>((resolve) => {
      grant = resolve;
      waiting.push(grant);
    });
    try {
      await unlessAborted(signal, granted);
    } catch (error) {
      const position = waiting.indexOf(grant);
      if (position >= 0) waiting.splice(position, 1);
      else release();
      throw error;
    }
  };
  return {
    async run(signal, work) {
      await acquire(signal);
      try {
        return await work();
      } finally {
        release();
      }
    },
  };
}
