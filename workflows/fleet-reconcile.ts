import type { HostRecord } from "../domain/host/fleet-state.ts";
import { isBootstrapping } from "../domain/host/fleet-state.ts";
import { addNotice, moveHost } from "../domain/host/fleet-transitions.ts";
import type { FleetRun } from "./fleet-run.ts";
import { hostId, inBackground, startRetirements } from "./fleet-run.ts";
import { workflowIds } from "./messages.ts";
import { sagas } from "./proxies.ts";

const graceSeconds = 60;
const everyTicks = 10;
const updatingStates: readonly HostRecord["state"][] = ["refreshing", "draining", "updating"];

/** Longest a saga can take when it runs at all. */
function longestSagaMs(run: FleetRun): number {
  const deadlines = Object.values(run.state.template?.bootstrap.deadline_seconds ?? {});
  const drain = run.state.template?.load_balancer.drain_deadline_seconds ?? 0;
  return (deadlines.reduce((sum, seconds) => sum + seconds, 0) + drain + graceSeconds) * 1000;
}

function sagaIdOf(run: FleetRun, host: HostRecord): string | null {
  const id = hostId(run, host);
  if (isBootstrapping(host)) return workflowIds.bootstrapHost(run.state.fleet, id);
  return updatingStates.includes(host.state) ? workflowIds.updateHost(run.state.fleet, id) : null;
}

function giveUp(run: FleetRun, overdue: Map<string, HostRecord>, ended: readonly string[]): void {
  for (const workflowId of ended) {
    const host = overdue.get(workflowId);
    if (host === undefined || sagaIdOf(run, host) !== workflowId) continue;
    addNotice(run.state, Date.now(), `${workflowId} ended without a word; ${hostId(run, host)} is replaced`);
    moveHost(run.state, host, { to: "failed", nowMs: Date.now() });
  }
}

/**
 * Looks after hosts whose saga should have ended by now: one that was terminated by hand will never signal. Hosts of
 * such sagas are given up, and retirements are started again, which changes nothing where they still run.
 */
export function reconcileSagas(run: FleetRun): void {
  const { state } = run;
  if (state.tick % everyTicks !== 0) return;
  const dueMs = Date.now() - longestSagaMs(run);
  const late = state.hosts.filter((host) => host.sinceMs < dueMs);
  startRetirements(
    run,
    late.filter((host) => host.state === "retiring"),
  );
  const overdue = new Map(
    late.flatMap((host) => {
      const workflowId = sagaIdOf(run, host);
      return workflowId === null ? [] : [[workflowId, host] as const];
    }),
  );
  if (overdue.size === 0) return;
  inBackground(run, "looking after sagas", async () =>
    giveUp(run, overdue, await sagas.endedSagas([...overdue.keys()])),
  );
}
