import { measureBootstraps } from "./foundation/bootstraps.ts";
import { measureClaimProcesses } from "./foundation/claim-processes.ts";
import { measureCommands } from "./foundation/commands.ts";
import { measureConcurrentClaims } from "./foundation/concurrent-claims.ts";
import { measureFirstAnswer } from "./foundation/first-answer.ts";
import { measureKilledWorker } from "./foundation/killed-worker.ts";
import { type MeasuredFleet, servingHosts, startFleet } from "./foundation/measured-fleet.ts";
import { withStack } from "./foundation/measured-stack.ts";
import { type Part, scaled } from "./foundation/part.ts";
import { measureProxy } from "./foundation/proxy.ts";
import type { Bench, BenchContext } from "./harness.ts";

const hostsClaimed = 50;
/** Without standby each claim waits for a host to start; a few show it. */
const hostsClaimedCold = 8;

type Measure = (fleet: MeasuredFleet) => Promise<Part>;

/**
 * What is measured on a fleet, in order. While claims are measured the fleet is as large as it may be: hosts started
 * to replace the claimed ones would have the two cores to themselves.
 */
function fleetMeasures(context: BenchContext): Measure[] {
  const { without, scale } = context;
  const hosts = scaled(hostsClaimed, scale, 10);
  const pool = { hosts, standby: hosts };
  const fill: Measure = async (fleet) => {
    await fleet.resize({ standby: hosts, hostsMax: hosts + servingHosts });
    await fleet.until(({ claimable }) => claimable >= hosts, 300);
    return { claims: [], table: [] };
  };
  const bootstraps: Measure = (fleet) => measureBootstraps(context, fleet, hosts);
  const firstAnswer: Measure = (fleet) => measureFirstAnswer(context, fleet, pool);
  const concurrent: Measure = (fleet) => measureConcurrentClaims(context, fleet, pool);
  if (without.has("standby"))
    return [(fleet) => measureFirstAnswer(context, fleet, { hosts: hostsClaimedCold, standby: 0 })];
  if (without.has("in-flight-limit")) return [fill, concurrent];
  if (without.has("server-flags")) return [bootstraps, fill, firstAnswer, concurrent];
  const processes: Measure = (fleet) => measureClaimProcesses(context, fleet, pool);
  return [bootstraps, fill, firstAnswer, concurrent, processes, (fleet) => measureKilledWorker(context, fleet, pool)];
}

async function measureFleet(context: BenchContext): Promise<Part[]> {
  const { note, without } = context;
  return withStack({ serverFlags: !without.has("server-flags"), note }, async (stack) => {
    const fleet = await startFleet(stack);
    const parts: Part[] = [];
    for (const measure of fleetMeasures(context)) parts.push(await measure(fleet));
    return parts;
  });
}

/** The foundation's promises on one machine: warm claims, starts of hosts, the proxy, and the waits of people. */
export const bench: Bench = {
  name: "foundation",
  describe: "claims, bootstraps and the proxy of an embedded stack; help, checks and unit tests",
  controls: ["standby", "in-flight-limit", "server-flags"],
  run: async (context) => {
    const parts = await measureFleet(context);
    if (context.without.size === 0) parts.push(await measureProxy(context), await measureCommands(context));
    return { claims: parts.flatMap(({ claims }) => claims), table: parts.flatMap(({ table }) => table) };
  },
};
