import { setTimeout as wait } from "node:timers/promises";
import type { AgentNotice } from "../../../schema/agent-protocol.ts";
import type { AgentLink } from "./agent-link.ts";
import { asError, unlessAborted } from "./deadline.ts";

const retryDelayMsMin = 200;
const retryDelayMsMax = 10_000;

/**
 * Hands unacknowledged notices on in their order, one at a time; acknowledges each after `onNotice` resolved, and
 * repeats one whose handler failed with a growing delay. Ends by rejecting: when `signal` aborts, or
 * with CHANNEL_LOST when the link closes.
 */
export async function followNotices(
  link: AgentLink,
  onNotice: (notice: AgentNotice) => Promise<void>,
  signal: AbortSignal,
): Promise<never> {
  const ended = AbortSignal.any([signal, link.closed]);
  const queue = createQueue();
  const stop = link.listen((notice) => queue.push(notice));
  try {
    await link.request({ op: "subscribe", after: 0 }, ended);
    for (let handled = 0; ;) {
      const notice = await queue.next(ended);
      if (notice.number <= handled) continue;
      await untilHandled(notice, onNotice, ended);
      await link.request({ op: "acknowledge", through: notice.number }, ended);
      handled = notice.number;
    }
  } finally {
    stop();
  }
}

async function untilHandled(
  notice: AgentNotice,
  onNotice: (notice: AgentNotice) => Promise<void>,
  ended: AbortSignal,
): Promise<void> {
  for (let delayMs = retryDelayMsMin; ; delayMs = Math.min(delayMs * 2, retryDelayMsMax)) {
    try {
      return await unlessAborted(ended, onNotice(notice));
    } catch {
      if (ended.aborted) throw asError(ended.reason);
      await unlessAborted(ended, wait(delayMs, undefined, { ref: false }));
    }
  }
}

function createQueue() {
  const held: AgentNotice[] = [];
  let wake = () => {};
  return {
    push(notice: AgentNotice) {
      held.push(notice);
      wake();
    },
    async next(ended: AbortSignal): Promise<AgentNotice> {
      for (;;) {
        const notice = held.shift();
        if (notice !== undefined) return notice;
        await unlessAborted(
          ended,
          new Promise<void>((resolve) => {
            wake = resolve;
          }),
        );
      }
    },
  };
}
