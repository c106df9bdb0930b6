import { condition, log, uuid4, workflowInfo } from "@temporalio/workflow";
import type { FleetState, HostRecord } from "../domain/host/fleet-state.ts";
import { hostIdOf } from "../domain/host/fleet-state.ts";
import { addNotice, moveHost, rotation } from "../domain/host/fleet-transitions.ts";
import { limits } from "../domain/limits.ts";
import type { GrantRow, PublishRequest } from "../activities/traffic.ts";
import type { SagaStart } from "../activities/sagas.ts";
import { failureReason } from "./failure-reason.ts";
import type { UpdateHostArguments } from "./messages.ts";
import { workflowIds, workflowNames } from "./messages.ts";
import { quickTraffic, sagas, traffic } from "./proxies.ts";

/** One run of the fleet workflow: durable state and what only this run needs to know. */
export interface FleetRun {
  state: FleetState;
  /** Something changed that the control loop must look at. */
  dirty: boolean;
  /** Somebody waits or a host was lost since the last decision was carried out. */
  poolChanged: boolean;
  /** State version the balancer acknowledged in this run; 0 forces the next publish. */
  publishedVersion: number;
  publishing: boolean;
  /** The run is to continue as new: it starts nothing that lasts. */
  ending: boolean;
  /** Claim rows that travel with the next publish. */
  grantRows: GrantRow[];
  /** Background calls under way; continue-as-new waits for them. */
  inFlight: number;
  /** Zones that lately did not give a machine, and until when they are left alone. */
  zonesHeldUntilMs: Record<string, number>;
}

export function createFleetRun(state: FleetState, grantRows: GrantRow[] = []): FleetRun {
  return {
    state,
    dirty: true,
    poolChanged: false,
    publishedVersion: 0,
    publishing: false,
    ending: false,
    grantRows,
    inFlight: 0,
    zonesHeldUntilMs: {},
  };
}

export function hostId(run: FleetRun, host: HostRecord): string {
  return hostIdOf(run.state.fleet, host.ordinal);
}

function publishRequest(run: FleetRun): PublishRequest | null {
  const { template, fleet, stateVersion } = run.state;
  if (template === null) return null;
  const backends = rotation(run.state).map((host) => ({
    hostId: hostId(run, host),
    epoch: host.epoch,
    draining: host.state === "draining",
  }));
  return { fleet, stateVersion, backends, settings: template.load_balancer, grants: run.grantRows.splice(0) };
}

/** Quick way first; the regular activity is tried until the balancer and the store have taken it. */
async function send(request: PublishRequest): Promise<{ endpoint: string }> {
  return quickTraffic.publish(request).catch((error: unknown) => {
    log.warn("publishing as a regular activity", { reason: failureReason(error).message });
    const summary = `state ${request.stateVersion} to the load balancer`;
    return traffic.publish.executeWithOptions({ summary }, [request]);
  });
}

async function publishOnce(run: FleetRun): Promise<void> {
  const request = publishRequest(run);
  if (request === null) return;
  const promoted = run.state.hosts.filter((host) => host.state === "promoting");
  const { endpoint } = await send(request).catch((error: unknown) => {
    // The claims were answered: their rows go with a later publish.
    run.grantRows.unshift(...request.grants);
    throw error;
  });
  run.publishedVersion = request.stateVersion;
  run.state.endpoint = endpoint;
  for (const host of promoted) {
    if (host.state === "promoting") moveHost(run.state, host, { to: "serving", nowMs: Date.now() });
  }
}

/**
 * Puts the rotation into force. Callers that come while one publish is under way share the next one, so that fifty
 * claims at once cost two balancer calls. Resolves when a state at least as new as the caller's is in force.
 */
export async function publish(run: FleetRun): Promise<void> {
  const wanted = run.state.stateVersion;
  while (run.publishedVersion < wanted) {
    if (run.publishing) {
      await condition(() => !run.publishing);
      continue;
    }
    run.publishing = true;
    try {
      // Claims that arrived with this one have yet to run: they write their grants first, and share this call.
      await Promise.resolve();
      await publishOnce(run);
    } finally {
      run.publishing = false;
    }
  }
}

/** Starts work the control loop does not wait for; a failure becomes a notice. */
export function inBackground(run: FleetRun, label: string, work: () => Promise<void>): void {
  run.inFlight += 1;
  work()
    .catch((error: unknown) => addNotice(run.state, Date.now(), `${label}: ${failureReason(error).message}`))
    .finally(() => {
      run.inFlight -= 1;
      run.dirty = true;
    });
}

function sagaOf(run: FleetRun, args: UpdateHostArguments): SagaStart {
  return {
    workflow: workflowNames.updateHost,
    workflowId: workflowIds.updateHost(run.state.fleet, args.hostId),
    args,
    summary: `${args.reason} ${args.hostId}`,
    fleet: run.state.fleet,
    hostId: args.hostId,
    epoch: args.golden.epoch,
    startId: uuid4(),
  };
}

export interface UpdatePlan {
  host: HostRecord;
  reason: UpdateHostArguments["reason"];
  drain: boolean;
  golden: NonNullable<FleetState["golden"]>;
}

/** Starts the sagas that update hosts; equal content is only verified, other content is installed under a new fence. */
export async function startUpdates(run: FleetRun, plans: UpdatePlan[]): Promise<void> {
  const { template, fleet } = run.state;
  if (template === null) return;
  const starts = plans.map(({ host, reason, drain, golden }) => {
    const install = host.digest === golden.digest ? null : { fence: run.state.nextFence++ };
    const { signingKeys } = run.state;
    return sagaOf(run, { fleet, hostId: hostId(run, host), reason, drain, install, golden, signingKeys, template });
  });
  await startAll(starts);
}

/** Each start carries the template, so a payload holds a few of them. */
async function startAll(starts: readonly SagaStart[]): Promise<void> {
  for (let from = 0; from < starts.length; from += limits.sagaStartsPerCallMax) {
    const part = starts.slice(from, from + limits.sagaStartsPerCallMax);
    await sagas.startSagas.executeWithOptions({ summary: startSummary(part) }, [part]);
  }
}

function startSummary(starts: readonly SagaStart[]): string {
  return starts
    .map((start) => start.summary)
    .join(", ")
    .slice(0, 200);
}

/** Starts the sagas that destroy and release hosts; those still in rotation are drained first. */
export function startRetirements(run: FleetRun, hosts: HostRecord[]): void {
  const { template, fleet } = run.state;
  if (template === null || hosts.length === 0) return;
  const drainDeadlineSeconds = template.load_balancer.drain_deadline_seconds;
  const starts = hosts.map((host): SagaStart => {
    const id = hostId(run, host);
    return {
      workflow: workflowNames.retireHost,
      workflowId: workflowIds.retireHost(fleet, id),
      args: { fleet, hostId: id, drain: host.state === "draining", drainDeadlineSeconds },
      summary: `retire ${id}`,
      fleet,
      hostId: id,
      epoch: host.epoch,
      startId: null,
    };
  });
  inBackground(run, "starting retirements", () => startAll(starts));
}

export function firstRunId(): string {
  return workflowInfo().firstExecutionRunId;
}
