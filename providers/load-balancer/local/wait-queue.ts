interface Waiter {
  timer: NodeJS.Timeout;
  wake: () => void;
}

/** Requests that wait, for a bounded time and in bounded number, until there is a backend again. */
export class WaitQueue {
  readonly #waiting = new Map<object, Waiter>();
  readonly #bounds: { count: number; waitMs: number };

  constructor(bounds: { count: number; waitMs: number }) {
    this.#bounds = bounds;
  }

  /** Calls `wake` at the next `wakeAll`, or `expire` when the time is over; false when the queue is full. */
  enter(key: object, calls: { wake: () => void; expire: () => void }): boolean {
    if (this.#waiting.size >= this.#bounds.count) return false;
    const timer = setTimeout(() => {
      this.#waiting.delete(key);
      calls.expire();
    }, this.#bounds.waitMs);
    this.#waiting.set(key, { timer, wake: calls.wake });
    return true;
  }

  leave(key: object): void {
    clearTimeout(this.#waiting.get(key)?.timer);
    this.#waiting.delete(key);
  }

  /** Lets every waiting request try again, oldest first. */
  wakeAll(): void {
    if (this.#waiting.size === 0) return;
    const waiters = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { timer, wake } of waiters) {
      clearTimeout(timer);
      wake();
    }
  }
}
