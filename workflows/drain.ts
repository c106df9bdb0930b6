import { drainActivities } from "./proxies.ts";

/** Ends when the host's last request did, or at the deadline, which holds over restarts of a worker too. */
export async function drain(host: { fleet: string; hostId: string }, deadlineMs: number): Promise<void> {
  const { fleet, hostId } = host;
  await drainActivities(deadlineMs).drainHost({ fleet, hostId, endsAtMs: Date.now() + deadlineMs });
}
