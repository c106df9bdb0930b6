import { createHash } from "node:crypto";
import { activityInfo, Context } from "@temporalio/activity";
import type { GoldenReference } from "../domain/host/fleet-state.ts";
import type { ComputeProvider, Machine } from "../providers/compute/compute-provider.ts";
import type { Store } from "../providers/store/store.ts";
import type { FleetTemplate } from "../schema/fleet-template.ts";
import type { BootstrapArguments } from "../workflows/messages.ts";
import { whileHeartbeating } from "./heartbeat.ts";
import type { SagaStart } from "./sagas.ts";
import { translateErrors } from "./translate-errors.ts";

export interface LaunchHostsRequest {
  fleet: string;
  batch: number;
  /** First execution run id of the fleet, which continue-as-new keeps. */
  firstRunId: string;
  template: FleetTemplate;
  golden: GoldenReference;
  signingKeys: string[];
  decidedAtMs: number;
  hosts: { hostId: string; ordinal: number; zone: string; fence: number }[];
}

export interface LaunchHostsAnswer {
  missing: { hostId: string; reason: string }[];
}

export interface LaunchDependencies {
  provider: ComputeProvider;
  store: Store;
  /** OpenSSH public key line that launched hosts accept. */
  authorizedKey: string;
  startWorkflow: (start: SagaStart) => Promise<void>;
}

/** The same for every attempt of the same batch of the same fleet, and for nothing else. */
function requestIdOf(request: LaunchHostsRequest): string {
  const { workflowNamespace, workflowExecution } = activityInfo();
  const parts = [workflowNamespace, workflowExecution?.workflowId, request.firstRunId, "launch", request.batch];
  return createHash("sha256").update(parts.join("\0")).digest("hex").slice(0, 32);
}

function bootstrapStart(request: LaunchHostsRequest, requestId: string, machine: Machine): SagaStart | null {
  const host = request.hosts[machine.ordinal];
  if (host === undefined) return null;
  const { fleet, golden, decidedAtMs, signingKeys, template } = request;
  const args: BootstrapArguments = {
    fleet,
    golden,
    decidedAtMs,
    signingKeys,
    template,
    hostId: host.hostId,
    ordinal: host.ordinal,
    zone: host.zone,
    fence: host.fence,
    requestId,
    batchOrdinal: machine.ordinal,
  };
  return {
    workflow: "bootstrapHost",
    workflowId: `bootstrap/${fleet}/${host.hostId}`,
    args,
    summary: `bootstrap ${host.hostId} at epoch ${golden.epoch}`,
    fleet,
    hostId: host.hostId,
    epoch: golden.epoch,
    startId: null,
  };
}

/** Launches whole batches under one request id and starts a bootstrap saga for every machine that exists. */
export function createLaunchActivities({ provider, store, authorizedKey, startWorkflow }: LaunchDependencies) {
  async function keepRow(request: LaunchHostsRequest, requestId: string, ordinal: number): Promise<void> {
    const host = request.hosts[ordinal];
    if (host === undefined) return;
    await store.keepHost({
      fleet: request.fleet,
      hostId: host.hostId,
      endpoint: null,
      state: "allocating",
      epoch: 0,
      digest: "",
      requestId,
      ordinal,
      atMs: request.decidedAtMs,
      version: 1,
    });
  }

  return translateErrors({
    async launchHosts(request: LaunchHostsRequest): Promise<LaunchHostsAnswer> {
      const requestId = requestIdOf(request);
      const signal = Context.current().cancellationSignal;
      // The row with the request id comes first: whatever happens next, what was launched can be found and freed.
      for (const ordinal of request.hosts.keys()) await keepRow(request, requestId, ordinal);
      const machines = await whileHeartbeating(() =>
        provider.launch(
          {
            requestId,
            fleet: request.fleet,
            image: request.template.image.source,
            hosts: request.hosts.map(({ hostId, zone }, ordinal) => ({ hostId, zone, ordinal })),
            authorizedKey,
            ...servicePortOf(request.template),
          },
          signal,
        ),
      );
      const starts = machines
        .map((machine) => bootstrapStart(request, requestId, machine))
        .filter((start) => start !== null);
      for (const start of starts) await startWorkflow(start);
      const launched = new Set(starts.map((start) => start.hostId));
      const missing = request.hosts.filter((host) => !launched.has(host.hostId));
      return { missing: missing.map(({ hostId }) => ({ hostId, reason: "the provider had no room for it" })) };
    },
  });
}

function servicePortOf(template: FleetTemplate): { servicePort: number } | Record<string, never> {
  const first = template.applications[0];
  return first === undefined ? {} : { servicePort: first.port };
}

export type LaunchActivities = ReturnType<typeof createLaunchActivities>;
