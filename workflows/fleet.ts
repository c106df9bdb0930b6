import {
  allHandlersFinished,
  ApplicationFailure,
  condition,
  continueAsNew,
  setCurrentDetails,
  setHandler,
  upsertSearchAttributes,
  workflowInfo,
} from "@temporalio/workflow";
import { describeFleet, fleetDetails } from "../domain/host/describe-fleet.ts";
import type {
  BootstrapOutcome,
  FleetState,
  HostRecord,
  UpdateOutcome,
  WaitingClaim,
} from "../domain/host/fleet-state.ts";
import {
  emptyFleetState,
  findHost,
  isBootstrapping,
  packFleetState,
  unpackFleetState,
} from "../domain/host/fleet-state.ts";
import {
  addNotice,
  claimHost,
  endBootstrap,
  endUpdate,
  isLeaving,
  removeHost,
} from "../domain/host/fleet-transitions.ts";
import { proposeGolden, refuseGolden } from "../domain/host/golden-change.ts";
import { limits } from "../domain/limits.ts";
import { failureReason } from "./failure-reason.ts";
import { actAgain, advance, modeOf, tick } from "./fleet-control.ts";
import { keepGrant } from "./fleet-grants.ts";
import { cordon, demote, loseHosts, promoteByName, replace, uncordon } from "./fleet-hosts.ts";
import { reconcileSagas } from "./fleet-reconcile.ts";
import type { FleetRun } from "./fleet-run.ts";
import { createFleetRun, hostId, publish } from "./fleet-run.ts";
import type {
  ApplyTemplateAnswer,
  ApplyTemplateRequest,
  ClaimAnswer,
  FleetArguments,
  HostAnswer,
  ReleaseAnswer,
} from "./messages.ts";
import * as messages from "./messages.ts";
import { searchAttributes } from "./search-attributes.ts";

function refuse(code: string, message: string): never {
  throw ApplicationFailure.create({ type: code, message, nonRetryable: true });
}

function checkApply(state: FleetState, request: ApplyTemplateRequest): void {
  if (request.template.fleet !== state.fleet) {
    refuse("INVALID_REQUEST", `the template is of fleet ${request.template.fleet}, not ${state.fleet}`);
  }
  const refusal = refuseGolden(state, request.golden);
  if (refusal !== null) refuse("POLICY_REFUSED", refusal);
}

async function applyTemplate(run: FleetRun, request: ApplyTemplateRequest): Promise<ApplyTemplateAnswer> {
  const { state } = run;
  const goldenChanged = proposeGolden(state, request.golden);
  const templateChanged = JSON.stringify(state.template) !== JSON.stringify(request.template);
  state.template = request.template;
  state.signingKeys = request.signingKeys;
  if (templateChanged || goldenChanged) state.templateVersion += 1;
  state.stateVersion += 1;
  run.dirty = true;
  upsertSearchAttributes([{ key: searchAttributes.epoch, value: request.golden.epoch }]);
  await publish(run);
  return {
    templateVersion: state.templateVersion,
    changed: templateChanged || goldenChanged,
    goldenEpoch: request.golden.epoch,
  };
}

/** Writes the grant into the state before the first await, so that no host is ever given to two claims. */
async function claim(run: FleetRun, claimId: string): Promise<ClaimAnswer> {
  const waiting: WaitingClaim = { claimId, source: "operator", requestedAtMs: Date.now() };
  const outcome = claimHost(run.state, waiting);
  if (outcome.kind === "ended") {
    return refuse("CLAIM_REFUSED", `the host of claim ${claimId} was given back or lost; claim again under a new id`);
  }
  if (outcome.kind === "queued") {
    run.poolChanged = true;
    run.dirty = true;
    return { kind: "queued", position: outcome.position, ttaSeconds: run.state.targets?.leadTimeSecondsP50 ?? null };
  }
  if (!outcome.repeated) keepGrant(run, { claim: waiting, host: outcome.host, kind: "warm" });
  await publish(run);
  return { kind: "granted", hostId: hostId(run, outcome.host), epoch: outcome.host.epoch };
}

async function release(run: FleetRun, claimId: string): Promise<ReleaseAnswer> {
  run.state.waiting = run.state.waiting.filter((waiting) => waiting.claimId !== claimId);
  const host = run.state.hosts.find((held) => held.claimId === claimId);
  if (host === undefined) return { claimId, hostId: null };
  // What puts it into rotation or updates it there must end first: two sagas never work on one host.
  await condition(() => host.state !== "promoting" && host.state !== "updating");
  if (host.state !== "serving") return { claimId, hostId: null };
  demote(run, [host]);
  await publish(run);
  return { claimId, hostId: hostId(run, host) };
}

function hostOf(state: FleetState, request: { hostId: string }): HostRecord {
  const host = findHost(state, request.hostId);
  return host ?? refuse("NOT_FOUND", `fleet ${state.fleet} has no host ${request.hostId}`);
}

function hostIn(state: FleetState, request: { hostId: string }, wanted: HostRecord["state"]): HostRecord {
  const host = hostOf(state, request);
  if (host.state !== wanted) return refuse("POLICY_REFUSED", `${request.hostId} is ${host.state}, not ${wanted}`);
  return host;
}

async function demoteByName(run: FleetRun, request: { hostId: string }): Promise<HostAnswer> {
  const host = hostIn(run.state, request, "serving");
  demote(run, [host]);
  await publish(run);
  return { hostId: request.hostId, state: host.state };
}

function onHost(
  run: FleetRun,
  request: { hostId: string },
  change: (run: FleetRun, host: HostRecord) => void,
): HostAnswer {
  const host = hostOf(run.state, request);
  change(run, host);
  return { hostId: request.hostId, state: host.state };
}

/** What is being made or destroyed has nothing to hold back. */
function checkCordon(state: FleetState, request: { hostId: string }): void {
  const host = hostOf(state, request);
  const ending: readonly HostRecord["state"][] = ["failed", "retiring", "retired"];
  if (isBootstrapping(host) || ending.includes(host.state))
    refuse("POLICY_REFUSED", `${request.hostId} is ${host.state}; only hosts that stand by or serve are cordoned`);
}

/** What is being made, changed or destroyed is not replaced under way, nor what a claim holds. */
function checkReplace(state: FleetState, request: { hostId: string }): void {
  const host = hostOf(state, request);
  const replaceable: readonly HostRecord["state"][] = ["standby", "quarantined", "serving"];
  if (!replaceable.includes(host.state))
    refuse("POLICY_REFUSED", `${request.hostId} is ${host.state}; wait until it stands by, serves or is in quarantine`);
  if (host.claimId !== null)
    refuse("POLICY_REFUSED", `${request.hostId} is held by claim ${host.claimId}; release it first`);
}

function checkUncordon(state: FleetState, request: { hostId: string }): void {
  const host = hostOf(state, request);
  if (host.state === "quarantined" && host.next === "standby")
    refuse("POLICY_REFUSED", `${request.hostId} is being verified already`);
}

function checkClaimable(run: FleetRun, request: { hostId: string }): void {
  const host = hostIn(run.state, request, "standby");
  if (host.cordoned) refuse("POLICY_REFUSED", `${request.hostId} is cordoned`);
  if (host.digest !== run.state.golden?.digest)
    refuse("POLICY_REFUSED", `${request.hostId} does not hold the golden configuration yet`);
}

function onBootstrapEnded(run: FleetRun, outcome: BootstrapOutcome): void {
  const host = findHost(run.state, outcome.hostId);
  if (host !== undefined) endBootstrap(run.state, host, { outcome, nowMs: Date.now() });
  run.dirty = true;
}

function onUpdateEnded(run: FleetRun, outcome: UpdateOutcome): void {
  const host = findHost(run.state, outcome.hostId);
  if (host !== undefined) endUpdate(run.state, host, { outcome, nowMs: Date.now() });
  run.dirty = true;
}

function onRetireEnded(run: FleetRun, id: string): void {
  const host = findHost(run.state, id);
  if (host !== undefined && isLeaving(host)) removeHost(run.state, host, Date.now());
  run.dirty = true;
}

function setHandlers(run: FleetRun): void {
  const { state } = run;
  setHandler(messages.applyTemplateUpdate, (request) => applyTemplate(run, request), {
    validator: (request) => checkApply(state, request),
    description: "Create or change the fleet from a template",
  });
  setHandler(messages.claimUpdate, ({ claimId }) => claim(run, claimId), {
    validator: ({ claimId }) => {
      if (state.template === null) refuse("FLEET_UNKNOWN", `fleet ${state.fleet} has no template yet`);
      if (!/^[\w.:/-]{1,128}$/.test(claimId))
        refuse("CLAIM_REFUSED", "a claim id has 1 to 128 letters, digits or . : / - _");
    },
    description: "Ask for one verified host; repeat with the same id to read the answer again",
  });
  setHandler(messages.releaseUpdate, ({ claimId }) => release(run, claimId), {
    description: "Give a claimed host back",
  });
  setHandler(messages.promoteUpdate, (request) => promoteByName(run, request.hostId), {
    validator: (request) => checkClaimable(run, request),
    description: "Put a named standby host into rotation",
  });
  setHandler(messages.demoteUpdate, (request) => demoteByName(run, request), {
    validator: (request) => void hostIn(state, request, "serving"),
    description: "Take a named serving host back to standby",
  });
  setHandler(messages.cordonUpdate, (request) => onHost(run, request, cordon), {
    validator: (request) => checkCordon(state, request),
    description: "Hold a host back: not claimed, updated, demoted or retired until uncordoned",
  });
  setHandler(messages.uncordonUpdate, (request) => onHost(run, request, uncordon), {
    validator: (request) => checkUncordon(state, request),
    description: "Give a host back to the fleet; one in quarantine is verified first",
  });
  setHandler(messages.replaceUpdate, (request) => onHost(run, request, replace), {
    validator: (request) => checkReplace(state, request),
    description: "Destroy a host and let another take its place; a serving one leaves once the others suffice",
  });
  setHandler(messages.describeQuery, (request) => describeFleet(state, { ...request, mode: modeOf(run) }), {
    description: "Counts, targets and one page of hosts",
  });
  setHandler(messages.templateQuery, () => state.template, { description: "The template in force" });
  setHandler(messages.bootstrapEndedSignal, (outcome) => onBootstrapEnded(run, outcome));
  setHandler(messages.updateEndedSignal, (outcome) => onUpdateEnded(run, outcome));
  setHandler(messages.retireEndedSignal, (ended) => onRetireEnded(run, ended.hostId));
  setHandler(messages.hostLostSignal, (lost) => loseHosts(run, [{ ...lost, by: "provider" }]));
}

function mustContinueAsNew({ historyEventsMax = limits.fleetHistoryEventsMax }: FleetArguments): boolean {
  const info = workflowInfo();
  return info.continueAsNewSuggested || info.historyLength > historyEventsMax;
}

function stepMs(run: FleetRun): number {
  return (run.state.template?.demand.step_seconds ?? 1) * 1000;
}

/** Ticks fall on whole steps of the clock, so that demand samples form a regular grid. */
function nextTickMs(run: FleetRun): number {
  const step = stepMs(run);
  return (Math.floor(Date.now() / step) + 1) * step;
}

/** Nothing is under way that the next run would not know of. */
function isQuiet(run: FleetRun): boolean {
  return run.inFlight === 0 && !run.publishing && allHandlersFinished();
}

/** Goes on deciding and granting until nothing is under way: a launch can last, and claims must not wait for it. */
async function controlLoop(run: FleetRun, args: FleetArguments): Promise<void> {
  // A run that goes on keeps to the grid: a step cut short would measure the demand of a moment.
  let tickAtMs = args.state === undefined ? Date.now() : nextTickMs(run);
  while (!(run.ending && isQuiet(run))) {
    await condition(() => run.dirty || (run.ending && isQuiet(run)), Math.max(1, tickAtMs - Date.now()));
    run.ending ||= mustContinueAsNew(args);
    run.dirty = false;
    if (Date.now() >= tickAtMs) {
      tickAtMs = nextTickMs(run);
      await tick(run);
      reconcileSagas(run);
    }
    actAgain(run);
    await advance(run).catch((error: unknown) => addNotice(run.state, Date.now(), failureReason(error).message));
    setCurrentDetails(fleetDetails(run.state));
  }
}

/**
 * The fleet: one entity that owns its pool. Every step it measures, decides and acts; in between it answers claims
 * from its own state and follows the golden configuration. It never ends by itself and continues as new in time.
 */
export async function fleet(args: FleetArguments): Promise<void> {
  const state = args.state === undefined ? emptyFleetState(args.fleet) : unpackFleetState(args.state);
  const run = createFleetRun(state, args.grantRows);
  setHandlers(run);
  await condition(() => run.state.template !== null);
  await controlLoop(run, args);
  await continueAsNew<typeof fleet>({ ...args, state: packFleetState(run.state), grantRows: run.grantRows });
}
