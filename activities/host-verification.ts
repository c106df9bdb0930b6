import { Context } from "@temporalio/activity";
import { ForewarmError } from "../domain/errors.ts";
import type { GoldenReference } from "../domain/host/fleet-state.ts";
import type { HostEndpoint } from "../domain/host/host-endpoint.ts";
import type { NodeChannel } from "../providers/node/node-channel.ts";
import type { Store } from "../providers/store/store.ts";
import type { FleetTemplate } from "../schema/fleet-template.ts";

/** What a host was proved to hold, and when. */
export interface Verified {
  epoch: number;
  digest: string;
  verifiedAtMs: number;
}

export interface VerificationRequest {
  fleet: string;
  hostId: string;
  golden: GoldenReference;
  template: FleetTemplate;
}

const suiteTimeoutMs = 30_000;
const digestTimeoutMs = 10_000;

/** Reads a host's recorded address. Throws NOT_FOUND for a host that was never launched or is gone. */
export async function endpointOf(store: Store, fleet: string, hostId: string): Promise<HostEndpoint> {
  const endpoint = (await store.host(fleet, hostId))?.endpoint;
  return endpoint ?? failWithoutAddress(hostId);
}

export function failWithoutAddress(hostId: string): never {
  throw new ForewarmError("NOT_FOUND", `the store has no address of host ${hostId}`);
}

/** Runs the template's checks on a host and compares its live digest with the golden one; stores the evidence either way. */
export function createVerification({ channel, store }: { channel: NodeChannel; store: Store }) {
  return async (endpoint: HostEndpoint, request: VerificationRequest): Promise<Verified> => {
    const { fleet, hostId, golden, template } = request;
    const signal = Context.current().cancellationSignal;
    const checks = template.bootstrap.verify;
    const suite = await channel.call(endpoint, { op: "verify", checks }, { timeoutMs: suiteTimeoutMs, signal });
    const live = await channel.call(endpoint, { op: "digest" }, { timeoutMs: digestTimeoutMs, signal });
    const verifiedAtMs = Date.now();
    const problems = suite.evidence
      .filter((evidence) => !evidence.passed)
      .map((evidence) => `${evidence.check.kind}: ${evidence.detail}`);
    if (live.digest !== golden.digest)
      problems.push(`it holds digest ${live.digest.slice(0, 12)}, not ${golden.digest.slice(0, 12)}`);
    const passed = suite.passed && problems.length === 0;
    await store.keepEvent({
      fleet,
      hostId,
      kind: passed ? "verified" : "verification-failed",
      message: passed ? `${suite.evidence.length} checks passed` : problems.join("; "),
      detail: { evidence: suite.evidence, digest: live.digest, epoch: live.epoch },
      atMs: verifiedAtMs,
    });
    if (!passed) throw new ForewarmError("VERIFY_FAILED", `${hostId}: ${problems.join("; ")}`);
    return { epoch: golden.epoch, digest: live.digest, verifiedAtMs };
  };
}
