import { setTimeout as delay } from "node:timers/promises";
import type { FleetHandle } from "../../client/fleet-handle.ts";
import type { BenchContext } from "../harness.ts";
import { fleetName, servingHosts, type MeasuredFleet } from "./measured-fleet.ts";

const pollMs = 100;
const grantDeadlineMs = 60_000;

/** One claim from sending to its grant; `hostId` is null when it got none. */
export interface ClaimSample {
  claimId: string;
  sentMs: number;
  answeredMs: number;
  hostId: string | null;
  /** How often the server or the network refused before the answer. */
  errors: number;
}

/** Asks until granted, by the same id, as the command line does. An error is counted and asked again. */
export async function claimUntilGranted(claim: FleetHandle["claim"], claimId: string): Promise<ClaimSample> {
  const sentMs = performance.now();
  let errors = 0;
  for (;;) {
    const answer = await claim(claimId).catch(() => null);
    if (answer === null) errors += 1;
    const answeredMs = performance.now();
    if (answer?.kind === "granted") return { claimId, sentMs, answeredMs, hostId: answer.hostId, errors };
    if (answeredMs - sentMs > grantDeadlineMs) return { claimId, sentMs, answeredMs, hostId: null, errors };
    await delay(pollMs);
  }
}

export function claimIds(part: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${fleetName}/${part}/${index}`);
}

export function keepClaim(context: BenchContext, part: string, sample: ClaimSample & { firstAnswerMs?: number }): void {
  context.event({ kind: "claim", part, ...sample });
}

/** Gives all hosts back and waits until `standby` of them may be claimed again. */
export async function releaseAll(fleet: MeasuredFleet, ids: string[], standby: number): Promise<void> {
  const released = await Promise.allSettled(ids.map((claimId) => fleet.handle.release(claimId)));
  const refused = released.find((result) => result.status === "rejected");
  if (refused !== undefined) throw new Error("a claimed host could not be released", { cause: refused.reason });
  const settled = await fleet.until(
    ({ claimable, counts }) => claimable >= standby && counts.serving === servingHosts,
    180,
  );
  if (settled.waiting > 0) throw new Error(`${settled.waiting} claims still wait`);
}

/** Claims that got no host or met an error, and hosts given to more than one claim. */
export function failuresOf(samples: readonly Pick<ClaimSample, "hostId" | "errors">[]): number {
  const hosts = samples.map(({ hostId }) => hostId).filter((hostId) => hostId !== null);
  const failed = samples.filter(({ hostId, errors }) => hostId === null || errors > 0).length;
  return failed + hosts.length - new Set(hosts).size;
}
