import type { DecideRequest } from "../activities/fleet-observation.ts";
import { planPool } from "../domain/capacity/plan-pool.ts";
import { heldByDemand, isStandby, poolForPlan } from "../domain/host/fleet-pool.ts";
import type { CapacityTargets, WaitingClaim } from "../domain/host/fleet-state.ts";
import { isBootstrapping } from "../domain/host/fleet-state.ts";
import {
  addNotice,
  claimHost,
  claimableHosts,
  grantWaiting,
  isUnfilled,
  moveHost,
  withdrawDemandClaims,
} from "../domain/host/fleet-transitions.ts";
import { planGoldenSteps } from "../domain/host/golden-change.ts";
import { failureReason } from "./failure-reason.ts";
import { keepGrant, keepWithdrawal } from "./fleet-grants.ts";
import { demote, loseHosts, retireReplaced } from "./fleet-hosts.ts";
import { launch } from "./fleet-launch.ts";
import type { FleetRun, UpdatePlan } from "./fleet-run.ts";
import { inBackground, publish, startRetirements, startUpdates } from "./fleet-run.ts";
import { capacity } from "./proxies.ts";

export function modeOf(run: FleetRun): "observe" | "advise" | "act" {
  const template = run.state.template;
  return template?.capacity.mode ?? (template?.provider.kind === "local" ? "act" : "advise");
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
    poolForPlan(run.state),
  );
  claimForDemand(run, plan.promote + Math.max(0, plan.shortfall - waiting));
  for (const claim of withdrawDemandClaims(state, Math.max(0, waiting - plan.shortfall))) {
    keepWithdrawal(run, claim);
    // Nothing changes for the balancer, yet the row must reach the store with the next publish.
    run.publishedVersion = 0;
  }
  const serving = heldByDemand(run.state).filter((host) => host.state === "serving" && !host.cordoned);
  demote(
    run,
    serving.sort((left, right) => left.epoch - right.epoch || right.sinceMs - left.sinceMs).slice(0, plan.demote),
  );
  retireStandby(run, plan.retire);
  if (!run.ending) launch(run, plan.launch, targets.decidedAtMs);
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

function poolForDecision(run: FleetRun): DecideRequest["pool"] {
  const { hosts } = run.state;
  const standby = hosts.filter((host) => isStandby(host) && !host.cordoned);
  return {
    serving: heldByDemand(run.state).length,
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
  if (answer === null) {
    // The balancer may have lost the fleet altogether, and learns of it anew with the next publish.
    run.publishedVersion = 0;
    return;
  }
  state.counters = answer.counters;
  state.targets = answer.targets;
  loseHosts(run, answer.lost);
  // A fleet that was made again begins below what the balancer has seen of its predecessor.
  if (answer.balancerVersion > state.stateVersion) state.stateVersion = answer.balancerVersion + 1;
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
  retireReplaced(run);
  retireFailed(run);
  await publish(run);
}
