import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { type BenchContext, quantile } from "../harness.ts";
import { claimIds, type ClaimSample, claimUntilGranted, failuresOf, keepClaim } from "./claiming.ts";
import type { MeasuredFleet } from "./measured-fleet.ts";
import { atMost, begin, type Part, rowOf } from "./part.ts";

const part = "worker-killed";
const claimEveryMs = 100;
/** The worker is killed when this share of the claims was sent. */
const killAfterShare = 0.3;
const latencyMsMax = 4000;
const pollMs = 20;
const claimRowSchema = z.object({ claimId: z.string(), hostId: z.string() });

/** Kills the worker, waits until the supervisor has another ready, and keeps both moments. */
async function killWorker(context: BenchContext, { stack }: MeasuredFleet): Promise<number> {
  const { pid } = stack.processOf("worker");
  const killedMs = performance.now();
  process.kill(pid, "SIGKILL");
  for (let worker = stack.processOf("worker"); worker.pid === pid || !worker.ready; worker = stack.processOf("worker"))
    await delay(pollMs);
  const readyMs = performance.now();
  context.event({ kind: "worker-killed", killedMs, readyMs });
  return readyMs - killedMs;
}

/** Claims whose repetition, or whose stored row, names another host than the first answer. */
async function countChanged(context: BenchContext, fleet: MeasuredFleet, samples: ClaimSample[]): Promise<number> {
  const rows = (await fleet.rows("claims")).map((row) => claimRowSchema.parse(row));
  let changed = 0;
  for (const { claimId, hostId } of samples) {
    const repeated = await fleet.handle.claim(claimId);
    const repeatedHostId = repeated.kind === "granted" ? repeated.hostId : null;
    const storedHostIds = rows.filter((row) => row.claimId === claimId).map((row) => row.hostId);
    context.event({ kind: "claim-again", part, claimId, hostId, repeatedHostId, storedHostIds });
    if ([repeatedHostId, ...storedHostIds].some((other) => other !== hostId) || storedHostIds.length !== 1)
      changed += 1;
  }
  return changed;
}

/** Sends claims at a steady pace and kills the worker among them. The hosts stay claimed. */
export async function measureKilledWorker(
  context: BenchContext,
  fleet: MeasuredFleet,
  pool: { hosts: number },
): Promise<Part> {
  begin(context, `worker killed among ${pool.hosts} claims`);
  const ids = claimIds(part, pool.hosts);
  const startMs = performance.now();
  let restarted: Promise<number> | null = null;
  const claims: Promise<ClaimSample>[] = [];
  for (const [index, id] of ids.entries()) {
    await delay(Math.max(0, startMs + index * claimEveryMs - performance.now()));
    claims.push(claimUntilGranted(fleet.handle.claim, id));
    if (restarted === null && index >= ids.length * killAfterShare) restarted = killWorker(context, fleet);
  }
  const samples = await Promise.all(claims);
  const downMs = (await restarted) ?? 0;
  for (const sample of samples) keepClaim(context, part, sample);
  const durations = samples.map(({ sentMs, answeredMs }) => answeredMs - sentMs);
  const twice = failuresOf(samples.map(({ hostId }) => ({ hostId, errors: 0 })));
  const changed = await countChanged(context, fleet, samples);
  return {
    claims: [
      atMost("claims over a killed worker, longest", quantile(durations, 1), [latencyMsMax, "ms"]),
      atMost("claims answered twice, differently or not at all", twice + changed, [0, "claims"]),
    ],
    table: [rowOf("claims over a killed worker", durations, "ms"), rowOf("worker: killed to ready", [downMs], "ms")],
  };
}
