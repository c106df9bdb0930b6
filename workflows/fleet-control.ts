import type { CapacityTargets, HostRecord, WaitingClaim } from "../domain/host/fleet-state.ts";
import { findHost, isBootstrapping } from "../domain/host/fleet-state.ts";
import {
  addNotice,
  claimHost,
  claimableHosts,
  demoteHost,
  grantWaiting,
  isUnfilled,
  moveHost,
  takeHost,
  withdrawDemandClaims,
} from "../domain/host/fleet-transitions.ts";
import { planGoldenSteps } from "../domain/host/golden-change.ts";
import type { PoolForPlan } from "../domain/capacity/plan-pool.ts";
import { planPool } from "../domain/capacity/plan-pool.ts";
import type { DecideRequest, LostHost } from "../activities/fleet-observation.ts";
import type { GrantRow } from "../activities/traffic.ts";
import { failureReason } from "./failure-reason.ts";
import type { HostAnswer } from "./messages.ts";
import { launch } from "./fleet-launch.ts";
import type { FleetRun, UpdatePlan } from "./fleet-run.ts";
import { hostId, inBackground, publish, startRetirements, startUpdates } from "./fleet-run.ts";
import { capacity } from "./proxies.ts";

/** Hosts that one notice about lost hosts names. */
const lostHostsNamedMax = 3;

export function modeOf(run: FleetRun): "observe" | "advise" | "act" {
  const template = run.state.template;
  return template?.capacity.mode ?? (template?.provider.kind === "local" ? "act" : "advise");
}

/** Records a grant with the next publish; those of a fleet's first fill are no claims. */
export function keepGrant(
  run: FleetRun,
  { claim, host, kind }: { claim: WaitingClaim; host: HostRecord; kind: GrantRow["kind"] },
): void {
  if (claim.source === "fill") return;
  run.grantRows.push({
    claimId: claim.claimId,
    hostId: hostId(run, host),
    kind,
    requestedAtMs: claim.requestedAtMs,
    grantedAtMs: Date.now(),
    epoch: host.epoch,
    goldenEpoch: run.state.golden?.epoch ?? 0,
    readyAtMs: host.verifiedAtMs,
  });
}

function withdrawnRow(run: FleetRun, { claimId, requestedAtMs }: WaitingClaim): GrantRow {
  const goldenEpoch = run.state.golden?.epoch ?? 0;
  return {
    claimId,
    hostId: "",
    kind: "withdrawn",
    requestedAtMs,
    grantedAtMs: Date.now(),
    epoch: 0,
    goldenEpoch,
    readyAtMs: 0,
  };
}

/** Demand wants more serving hosts: one claim each, granted from standby at once or left waiting. */
function claimForDemand(run: FleetRun, count: number): void {
  const source = isUnfilled(run.state) ? "fill" : "demand";
  for (let index = 0; index < count; index += 1) {
    const claimId = `${source}/${run.state.fleet}/${run.state.nextDemandClaim++}`;
    const claim: WaitingClaim = { claimId, source, requestedAtMs: Date.now() };
    const outcome = claimHost(run.state, claim);
    if (outcome.kind === "granted") keepGrant(run, { claim, host: outcome.host, kind: "warm" });
  }
}

/** Hosts that demand, not a claim by name, keeps in rotation. */
function heldByDemand(run: FleetRun): HostRecord[] {
  const inRotation: readonly HostRecord["state"][] = ["promoting", "serving", "updating"];
  return run.state.hosts.filter((host) => host.claimId === null && inRotation.includes(host.state));
}

function poolForPlan(run: FleetRun): PoolForPlan {
  const { hosts, template } = run.state;
  const claimable = claimableHosts(run.state).length;
  const leaving: readonly HostRecord["state"][] = ["failed", "quarantined", "retiring"];
  return {
    serving: heldByDemand(run).length,
    claimable,
    otherStandby: hosts.filter((host) => host.state === "standby" || host.state === "refreshing").length - claimable,
    inFlight: hosts.filter((host) => isBootstrapping(host) || host.state === "draining").length,
    leaving: hosts.filter((host) => leaving.includes(host.state) || host.claimId !== null).length,
    maxHosts: template?.capacity.max_hosts ?? 0,
  };
}

function grantLate(run: FleetRun): void {
  for (const granted of grantWaiting(run.state, Date.now())) keepGrant(run, { ...granted, kind: "waited" });
}

/** Carries out the capacity targets on the pool as it is now, not as it was when they were decided. */
function act(run: FleetRun, targets: CapacityTargets): void {
  const { state } = run;
  run.poolChanged = false;
  // Those who wait come first: a host that is claimable by now is theirs, not one for new claims to queue behind.
  grantLate(run);
  const operators = state.waiting.filter((claim) => claim.source === "operator").length;
  const waiting = state.waiting.length - operators;
  const plan = planPool(
    { servingTarget: targets.serving, standbyTarget: targets.standby + operators },
    poolForPlan(run),
  );
  claimForDemand(run, plan.promote + Math.max(0, plan.shortfall - waiting));
  for (const claim of withdrawDemandClaims(state, Math.max(0, waiting - plan.shortfall))) {
    if (claim.source !== "fill") run.grantRows.push(withdrawnRow(run, claim));
    // Nothing changes for the balancer, yet the row must reach the store with the next publish.
    run.publishedVersion = 0;
  }
  const serving = heldByDemand(run).filter((host) => host.state === "serving");
  demote(
    run,
    serving.sort((left, right) => left.epoch - right.epoch || right.sinceMs - left.sinceMs).slice(0, plan.demote),
  );
  retireStandby(run, plan.retire);
  if (!run.ending) launch(run, plan.launch, targets.decidedAtMs);
}

/** Takes hosts out of rotation: they drain, are verified again, and join standby. */
export function demote(run: FleetRun, hosts: HostRecord[]): void {
  const golden = run.state.golden;
  if (golden === null || hosts.length === 0) return;
  for (const host of hosts) demoteHost(run.state, host, { next: "standby", nowMs: Date.now() });
  // The balancer must know before the saga waits for the last request, else new ones would keep coming.
  inBackground(run, "draining", async () => {
    await publish(run);
    await startUpdates(
      run,
      hosts.map((host) => ({ host, reason: "demote", drain: true, golden })),
    );
  });
}

/** Puts a named standby host into rotation. */
export async function promoteByName(run: FleetRun, id: string): Promise<HostAnswer> {
  const host = findHost(run.state, id);
  if (host === undefined) throw new Error(`no host ${id}`);
  const claim: WaitingClaim = {
    claimId: `promote/${id}/${run.state.stateVersion}`,
    source: "operator",
    requestedAtMs: Date.now(),
  };
  takeHost(run.state, claim, { host, nowMs: Date.now() });
  run.state.totals.claims += 1;
  run.state.totals.warmHits += 1;
  keepGrant(run, { claim, host, kind: "warm" });
  await publish(run);
  return { hostId: id, state: host.state };
}

function retireStandby(run: FleetRun, count: number): void {
  const leaving = claimableHosts(run.state).reverse().slice(0, count);
  for (const host of leaving) moveHost(run.state, host, { to: "retiring", nowMs: Date.now() });
  startRetirements(run, leaving);
}

/** Carries the decision in force out again when the pool changed since: whoever waits does not wait for the next step too. */
export function actAgain(run: FleetRun): void {
  const { targets } = run.state;
  if (!run.poolChanged || targets === null || targets.validUntilMs < Date.now()) return;
  if (modeOf(run) === "act") act(run, { ...targets, decidedAtMs: Date.now() });
}

/** Marks hosts as lost wherever they are; the retirement frees what they held. */
export function loseHosts(run: FleetRun, lost: readonly LostHost[]): void {
  const gone: readonly HostRecord["state"][] = ["failed", "quarantined", "retiring", "retired"];
  const hostIdsByReason = new Map<string, string[]>();
  for (const { hostId: id, reason } of lost) {
    const host = findHost(run.state, id);
    if (host === undefined || gone.includes(host.state) || isBootstrapping(host)) continue;
    moveHost(run.state, host, { to: "failed", nowMs: Date.now() });
    hostIdsByReason.set(reason, [...(hostIdsByReason.get(reason) ?? []), id]);
    run.poolChanged = true;
    run.dirty = true;
  }
  for (const [reason, ids] of hostIdsByReason) addNotice(run.state, Date.now(), `${lostText(ids)} lost: ${reason}`);
}

/** A machine that restarts loses all its hosts at once: one notice, not one for each. */
function lostText(hostIds: readonly string[]): string {
  const named = hostIds.slice(0, lostHostsNamedMax).join(", ");
  const others = hostIds.length - lostHostsNamedMax;
  if (hostIds.length === 1) return `${named} was`;
  return others > 0 ? `${named} and ${others} more were` : `${named} were`;
}

function poolForDecision(run: FleetRun): DecideRequest["pool"] {
  const { hosts } = run.state;
  const standby = hosts.filter((host) => host.state === "standby" || host.state === "refreshing");
  return {
    serving: heldByDemand(run).length,
    standby: standby.length,
    settling: hosts.filter((host) => host.state === "draining" && host.next === "standby").length,
    bootstrappingSinceMs: hosts.filter(isBootstrapping).map((host) => host.sinceMs),
    unusedSinceMs: standby.filter((host) => !host.used).map((host) => host.verifiedAtMs),
  };
}

/** One control step: measure, forecast and decide in one recorded activity, then act on the answer. */
export async function tick(run: FleetRun): Promise<void> {
  const { state } = run;
  if (state.template === null) return;
  state.tick += 1;
  const answer = await capacity.decideCapacity
    .executeWithOptions({ summary: `tick ${state.tick}` }, [
      {
        template: state.template,
        tick: state.tick,
        counters: state.counters,
        pool: poolForDecision(run),
      },
    ])
    .catch((error: unknown) => {
      addNotice(state, Date.now(), `no decision, targets held: ${failureReason(error).message}`);
      return null;
    });
  if (answer === null) return;
  state.counters = answer.counters;
  state.targets = answer.targets;
  loseHosts(run, answer.lost);
  if (answer.balancerVersion !== run.publishedVersion) run.publishedVersion = 0;
  if (modeOf(run) === "act" && answer.targets.validUntilMs >= Date.now()) act(run, answer.targets);
}

function commitGolden(run: FleetRun): void {
  const change = run.state.goldenChange;
  if (change === null) return;
  run.state.golden = change.to;
  run.state.goldenChange = null;
  run.state.stateVersion += 1;
  addNotice(run.state, Date.now(), `golden configuration moved to epoch ${change.to.epoch}`);
}

function followGolden(run: FleetRun): void {
  const steps = planGoldenSteps(run.state);
  if (steps.commit) {
    commitGolden(run);
    followGolden(run);
    return;
  }
  const golden = steps.golden;
  if (golden === null) return;
  for (const host of steps.refresh) {
    moveHost(run.state, host, { to: "refreshing", nowMs: Date.now() });
    host.next = "standby";
  }
  for (const host of steps.update) {
    moveHost(run.state, host, { to: "updating", nowMs: Date.now() });
    host.next = "serving";
  }
  const plans: UpdatePlan[] = [
    ...steps.refresh.map((host) => ({ host, reason: "refresh" as const, drain: false, golden })),
    ...steps.update.map((host) => ({ host, reason: "update" as const, drain: false, golden })),
  ];
  if (plans.length > 0) inBackground(run, "starting updates", () => startUpdates(run, plans));
}

function retireFailed(run: FleetRun): void {
  const failed = run.state.hosts.filter((host) => host.state === "failed");
  for (const host of failed) moveHost(run.state, host, { to: "retiring", nowMs: Date.now() });
  startRetirements(run, failed);
}

/** Level-triggered: whatever the state asks for now is started, however it came about. */
export async function advance(run: FleetRun): Promise<void> {
  followGolden(run);
  grantLate(run);
  retireFailed(run);
  await publish(run);
}
