import { Context } from "@temporalio/activity";

const intervalMs = 800;

/** Heartbeats while work is under way, so that cancellation and a dead worker are noticed within seconds. */
export async function whileHeartbeating<Answer>(work: () => Promise<Answer>): Promise<Answer> {
  const context = Context.current();
  context.heartbeat();
  const timer = setInterval(() => context.heartbeat(), intervalMs);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}
