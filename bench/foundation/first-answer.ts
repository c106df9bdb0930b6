import { createLimit } from "../../client/limit.ts";
import { limits } from "../../domain/limits.ts";
import { type BenchContext, quantile } from "../harness.ts";
import { type BackgroundLoad, startBackgroundLoad } from "./background-load.ts";
import { claimIds, claimUntilGranted, keepClaim, releaseAll } from "./claiming.ts";
import type { MeasuredFleet } from "./measured-fleet.ts";
import { atMost, begin, type Part, roundsOf, rowOf } from "./part.ts";

const part = "first-answer";
const p99MsMax = 300;

interface Measured {
  grantMs: number;
  firstAnswerMs: number;
}

/** One claim, and the first answer that a user gets from the host it was given. */
async function claimAndAsk(
  context: BenchContext,
  { fleet, load }: { fleet: MeasuredFleet; load: BackgroundLoad },
  claimId: string,
): Promise<Measured> {
  const claim = await claimUntilGranted(fleet.handle.claim, claimId);
  if (claim.hostId === null) throw new Error(`claim ${claimId} got no host`);
  const answer = await load.firstAnswerOf(claim.hostId, claim.sentMs);
  keepClaim(context, part, { ...claim, firstAnswerMs: answer.answeredMs });
  return { grantMs: claim.answeredMs - claim.sentMs, firstAnswerMs: answer.answeredMs - claim.sentMs };
}

/** Claims `hosts` hosts, at most 8 at a time from claim to first answer, while users' requests go on. */
export async function measureFirstAnswer(
  context: BenchContext,
  fleet: MeasuredFleet,
  pool: { hosts: number; standby: number },
): Promise<Part> {
  begin(context, `claim to first answer, ${pool.hosts} hosts`);
  const load = startBackgroundLoad(fleet.endpoint);
  const measured: Measured[] = [];
  for (let round = 0; round < roundsOf(context.scale); round += 1) {
    const limited = createLimit(limits.claimsInFlightPerFleetMax);
    const ids = claimIds(`${part}-${round}`, pool.hosts);
    measured.push(...(await Promise.all(ids.map((id) => limited(() => claimAndAsk(context, { fleet, load }, id))))));
    await releaseAll(fleet, ids, pool.standby);
  }
  const requests = await load.stop();
  for (const request of requests) context.event({ kind: "request", part, ...request });
  const failed = requests.filter(({ statusCode }) => statusCode !== 200).length;
  const first = measured.map(({ firstAnswerMs }) => firstAnswerMs);
  return {
    claims: [
      atMost("claim to first answer p99", quantile(first, 0.99), [p99MsMax, "ms"]),
      atMost("claim to first answer p50", quantile(first, 0.5), [p99MsMax, "ms"]),
      atMost("requests failed while hosts came and went", failed, [0, "requests"]),
    ],
    table: [
      rowOf(
        "claim: to grant",
        measured.map(({ grantMs }) => grantMs),
        "ms",
      ),
      rowOf("claim: to first answer", first, "ms"),
      rowOf(
        "users' requests meanwhile",
        requests.map(({ sentMs, answeredMs }) => answeredMs - sentMs),
        "ms",
      ),
    ],
  };
}
