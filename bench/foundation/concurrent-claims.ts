import { openFleet, type FleetHandle } from "../../client/fleet-handle.ts";
import * as messages from "../../workflows/messages.ts";
import { type BenchContext, quantile } from "../harness.ts";
import { claimIds, type ClaimSample, claimUntilGranted, failuresOf, keepClaim, releaseAll } from "./claiming.ts";
import { fleetName, type MeasuredFleet } from "./measured-fleet.ts";
import { atMost, begin, type Part, roundsOf, rowOf } from "./part.ts";

const part = "concurrent";
const p99MsMax = 1000;

/** Claims as a client without the bound on updates in flight would send them. */
function unboundedClaim(fleet: MeasuredFleet): FleetHandle["claim"] {
  const { client } = fleet.stack.session;
  const handle = client.workflow.getHandle(messages.workflowIds.fleet(fleetName));
  return (claimId) => handle.executeUpdate(messages.claimUpdate, { args: [{ claimId }] });
}

/** Claims all hosts at the same moment from one client. */
export async function measureConcurrentClaims(
  context: BenchContext,
  fleet: MeasuredFleet,
  pool: { hosts: number; standby: number },
): Promise<Part> {
  begin(context, `${pool.hosts} claims at once in one client`);
  const bounded = !context.without.has("in-flight-limit");
  const claim = bounded ? openFleet(fleet.stack.session.client, fleetName).claim : unboundedClaim(fleet);
  const samples: ClaimSample[] = [];
  for (let round = 0; round < roundsOf(context.scale); round += 1) {
    const ids = claimIds(`${part}-${round}`, pool.hosts);
    const claimed = await Promise.all(ids.map((id) => claimUntilGranted(claim, id)));
    for (const sample of claimed) keepClaim(context, part, sample);
    samples.push(...claimed);
    // Without the bound, claims are left unanswered in the server, and it is the end of this run.
    if (bounded) await releaseAll(fleet, ids, pool.standby);
  }
  const durations = samples.map(({ sentMs, answeredMs }) => answeredMs - sentMs);
  const failed = samples.filter((sample) => failuresOf([sample]) > 0).length;
  return {
    claims: [
      atMost("concurrent claims p99", quantile(durations, 0.99), [p99MsMax, "ms"]),
      atMost("concurrent claims that failed", failed, [0, "claims"]),
    ],
    table: [rowOf("concurrent claims", durations, "ms")],
  };
}
