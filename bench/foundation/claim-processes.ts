import { z } from "zod";
import { type BenchContext, quantile } from "../harness.ts";
import { claimIds, failuresOf, releaseAll } from "./claiming.ts";
import { fleetName, type MeasuredFleet } from "./measured-fleet.ts";
import { atMost, begin, type Part, rowOf } from "./part.ts";
import { forewarm } from "./program.ts";

/** Fifty processes start Node fifty times: on two cores that alone takes most of this. */
const p99SecondsMax = 60;
const part = "processes";
const answerSchema = z.tuple([z.object({ kind: z.string(), host: z.string().optional(), wall_ms: z.number() })]);

interface Sample {
  claimId: string;
  hostId: string | null;
  errors: number;
  durationMs: number;
  /** The claim alone, as the process itself timed it. */
  claimMs: number;
}

function parsed(text: string): z.infer<typeof answerSchema>[0] | null {
  try {
    return answerSchema.parse(JSON.parse(text))[0];
  } catch {
    return null;
  }
}

async function claimInProcess(fleet: MeasuredFleet, claimId: string): Promise<Sample> {
  const words = ["claim", fleetName, "--id", claimId, "--output", "json"];
  const { exitCode, stdout, durationMs } = await forewarm(words, fleet.stack.environment);
  const answer = exitCode === 0 ? parsed(stdout) : null;
  const errors = answer === null ? 1 : 0;
  return { claimId, hostId: answer?.host ?? null, errors, durationMs, claimMs: answer?.wall_ms ?? 0 };
}

/** Starts as many `forewarm claim` processes as there are hosts, all at once. */
export async function measureClaimProcesses(
  context: BenchContext,
  fleet: MeasuredFleet,
  pool: { hosts: number; standby: number },
): Promise<Part> {
  begin(context, `${pool.hosts} claim processes at once`);
  const ids = claimIds(part, pool.hosts);
  const samples = await Promise.all(ids.map((id) => claimInProcess(fleet, id)));
  for (const sample of samples) context.event({ kind: "claim-process", ...sample });
  await releaseAll(fleet, ids, pool.standby);
  const seconds = samples.map(({ durationMs }) => durationMs / 1000);
  return {
    claims: [
      atMost("claim processes p99", quantile(seconds, 0.99), [p99SecondsMax, "s"]),
      atMost("claim processes that failed", failuresOf(samples), [0, "processes"]),
    ],
    table: [
      rowOf("claim process, start to end", seconds, "s"),
      rowOf(
        "claim process: the claim alone",
        samples.map(({ claimMs }) => claimMs / 1000),
        "s",
      ),
    ],
  };
}
