import { invariant } from "../errors.ts";
import { limits } from "../limits.ts";
import type {
  BootstrapOutcome,
  FleetState,
  GrantedClaim,
  HostRecord,
  UpdateOutcome,
  WaitingClaim,
} from "./fleet-state.ts";
import { isBootstrapping } from "./fleet-state.ts";
import { isHeldBack } from "./golden-change.ts";
import type { HostState } from "./host-state.ts";
import { transition } from "./host-state.ts";
import { promotionOrder } from "./promotion-order.ts";

/** Every change below mutates the given state and goes through the transition table. */

/** What the load balancer sees of a host in a state. */
function balancerView(state: HostState): "taking" | "draining" | "absent" {
  if (state === "draining") return "draining";
  return state === "promoting" || state === "serving" || state === "updating" ? "taking" : "absent";
}

/** The state version rises with what the load balancer must learn, and with nothing else. */
export function moveHost(state: FleetState, host: HostRecord, change: { to: HostState; nowMs: number }): void {
  const before = balancerView(host.state);
  host.state = transition(host.state, change.to);
  host.sinceMs = change.nowMs;
  if (balancerView(host.state) !== before) state.stateVersion += 1;
}

export function addNotice(state: FleetState, nowMs: number, text: string): void {
  state.notices = [...state.notices, { atMs: nowMs, text }].slice(-limits.noticesMax);
}

/** Adds planned hosts, each to that of the zones which holds fewest; all zones of the template unless told otherwise. */
export function planHosts(
  state: FleetState,
  count: number,
  { nowMs, zones = state.template?.provider.zones ?? [] }: { nowMs: number; zones?: readonly string[] },
): HostRecord[] {
  invariant(zones.length > 0, "a fleet plans hosts only after its template is applied");
  const planned: HostRecord[] = [];
  for (let index = 0; index < count; index += 1) {
    const inZone = (zone: string): number => state.hosts.filter((host) => host.zone === zone).length;
    const zone = zones.reduce((least, candidate) => (inZone(candidate) < inZone(least) ? candidate : least));
    const host: HostRecord = {
      ordinal: state.nextOrdinal,
      zone,
      state: "planned",
      sinceMs: nowMs,
      epoch: 0,
      digest: "",
      verifiedAtMs: 0,
      next: "standby",
      claimId: null,
      used: false,
      cordoned: false,
    };
    state.nextOrdinal += 1;
    state.hosts.push(host);
    planned.push(host);
  }
  return planned;
}

const bootstrapPath = [
  "allocating",
  "booting",
  "connecting",
  "staging",
  "configuring",
  "starting",
  "verifying",
  "standby",
] as const;

/** The fleet hears only how a bootstrap ended, so the steps between are walked here. */
function walkToStandby(state: FleetState, host: HostRecord, nowMs: number): void {
  const from = bootstrapPath.findIndex((step) => step === host.state);
  for (const step of bootstrapPath.slice(from + 1)) moveHost(state, host, { to: step, nowMs });
}

/** A bootstrap ended: the host joins standby, or is given up. Unknown hosts and repeated signals change nothing. */
export function endBootstrap(
  state: FleetState,
  host: HostRecord,
  ended: { outcome: BootstrapOutcome; nowMs: number },
): void {
  if (!isBootstrapping(host)) return;
  const { outcome, nowMs } = ended;
  if (outcome.outcome !== "standby") {
    moveHost(state, host, { to: outcome.outcome, nowMs });
    addNotice(state, nowMs, `${outcome.hostId}: ${outcome.phase} failed: ${outcome.reason}`);
    return;
  }
  walkToStandby(state, host, nowMs);
  settle(host, outcome);
}

/** Records what a host was verified to hold. */
export function settle(host: HostRecord, verified: { epoch: number; digest: string; verifiedAtMs: number }): void {
  host.epoch = verified.epoch;
  host.digest = verified.digest;
  host.verifiedAtMs = verified.verifiedAtMs;
  host.next = null;
}

const settledPath: Partial<Record<HostState, readonly HostState[]>> = {
  refreshing: ["verifying", "standby"],
  draining: ["verifying", "standby"],
  quarantined: ["verifying", "standby"],
  updating: ["serving"],
};

/** An update ended: the host is back where it was going, or given up. Signals for other states change nothing. */
export function endUpdate(state: FleetState, host: HostRecord, ended: { outcome: UpdateOutcome; nowMs: number }): void {
  const { outcome, nowMs } = ended;
  const path = settledPath[host.state];
  if (path === undefined) return;
  if (outcome.outcome !== "settled") {
    const tookGolden = host.state === "refreshing" || host.state === "updating";
    if (tookGolden && blamesGolden(outcome)) countGoldenFailure(state, outcome.wanted, nowMs);
    // A host in quarantine that is found unfit once more stays for a person to look at.
    if (host.state !== "quarantined") leaveRotation(state, host, { to: outcome.outcome, nowMs });
    host.next = null;
    addNotice(state, nowMs, `${outcome.hostId}: update failed: ${outcome.reason}`);
    return;
  }
  for (const to of path) moveHost(state, host, { to, nowMs });
  // The balancer prefers newer epochs, so it must learn of one taken on in rotation.
  if (balancerView(host.state) === "taking" && host.epoch !== outcome.epoch) state.stateVersion += 1;
  settle(host, outcome);
}

/** The host answered, and what it was given does not work; a host out of reach says nothing about its golden. */
function blamesGolden({ code }: UpdateOutcome): boolean {
  const codes: readonly string[] = [
    "VERIFY_FAILED",
    "MANIFEST_REFUSED",
    "MANIFEST_EXPIRED",
    "DIGEST_MISMATCH",
    "COMMAND_FAILED",
  ];
  return codes.includes(code);
}

/** A host that fails while it takes the wanted golden speaks against that golden. */
function countGoldenFailure(state: FleetState, digest: string, nowMs: number): void {
  const golden = state.goldenChange?.to ?? state.golden;
  if (golden?.digest !== digest || isHeldBack(state, golden)) return;
  state.goldenFailures += 1;
  if (!isHeldBack(state, golden)) return;
  const cure = "apply a mended golden, or the same one again to go on";
  addNotice(state, nowMs, `epoch ${golden.epoch} is held back: more hosts failed with it than hold it; ${cure}`);
}

/** A host that is unfit holds no claim any more: repeating that claim tells that its host was lost. */
function leaveRotation(
  state: FleetState,
  host: HostRecord,
  { to, nowMs }: { to: "failed" | "quarantined"; nowMs: number },
): void {
  moveHost(state, host, { to, nowMs });
  host.claimId = null;
}

/** Claimable standby, best first. */
export function claimableHosts(state: FleetState): HostRecord[] {
  return promotionOrder(state.hosts, state.golden);
}

export type ClaimOutcome =
  | { kind: "granted"; host: HostRecord; repeated: boolean }
  | { kind: "queued"; position: number }
  /** The claim had a host, which was given back or lost since; its id is used up. */
  | { kind: "ended" };

function holderOf(state: FleetState, { claimId, ordinal }: GrantedClaim): HostRecord | undefined {
  return state.hosts.find((host) => host.ordinal === ordinal && host.claimId === claimId);
}

/** Answers still held are never forgotten, however many claims came after them. */
function remember(state: FleetState, answer: GrantedClaim): void {
  state.granted.push(answer);
  if (state.granted.length <= limits.claimsRememberedMax) return;
  const oldest = state.granted.findIndex((granted) => holderOf(state, granted) === undefined);
  state.granted.splice(Math.max(0, oldest), 1);
}

/** Gives one host to one claim. */
export function takeHost(state: FleetState, claim: WaitingClaim, taken: { host: HostRecord; nowMs: number }): void {
  moveHost(state, taken.host, { to: "promoting", nowMs: taken.nowMs });
  taken.host.used = true;
  if (taken.host.digest !== state.golden?.digest) state.totals.promotedWithStaleConfiguration += 1;
  if (claim.source !== "operator") return;
  taken.host.claimId = claim.claimId;
  remember(state, { claimId: claim.claimId, ordinal: taken.host.ordinal });
}

/** Answers a claim from standby at once, or queues it; the same claim id always gets the same answer. */
export function claimHost(state: FleetState, claim: WaitingClaim): ClaimOutcome {
  const before = state.granted.find((granted) => granted.claimId === claim.claimId);
  if (before !== undefined) {
    const host = holderOf(state, before);
    return host === undefined ? { kind: "ended" } : { kind: "granted", host, repeated: true };
  }
  const waiting = state.waiting.findIndex((other) => other.claimId === claim.claimId);
  if (waiting >= 0) return { kind: "queued", position: waiting + 1 };
  const isCounted = claim.source !== "fill";
  if (isCounted) state.totals.claims += 1;
  const [host] = state.waiting.length === 0 ? claimableHosts(state) : [];
  if (host === undefined) return { kind: "queued", position: state.waiting.push(claim) };
  takeHost(state, claim, { host, nowMs: claim.requestedAtMs });
  if (isCounted) state.totals.warmHits += 1;
  return { kind: "granted", host, repeated: false };
}

/** Whether no host has ever served: the claims of such a fleet are its first fill. */
export function isUnfilled({ totals, hosts }: Pick<FleetState, "totals" | "hosts">): boolean {
  return totals.claims === 0 && hosts.every((host) => !host.used);
}

export interface LateGrant {
  claim: WaitingClaim;
  host: HostRecord;
}

/** Gives claimable hosts to waiting claims, oldest claim first. */
export function grantWaiting(state: FleetState, nowMs: number): LateGrant[] {
  const grants: LateGrant[] = [];
  for (const host of claimableHosts(state)) {
    const claim = state.waiting.shift();
    if (claim === undefined) break;
    takeHost(state, claim, { host, nowMs });
    if (claim.source !== "fill") state.totals.waited += 1;
    grants.push({ claim, host });
  }
  return grants;
}

/** Demand fell: the newest claims that wait for it are no longer wanted. They stay counted as misses. */
export function withdrawDemandClaims(state: FleetState, count: number): WaitingClaim[] {
  const waiting = state.waiting.filter((claim) => claim.source !== "operator");
  const withdrawn = waiting.slice(Math.max(0, waiting.length - count));
  state.waiting = state.waiting.filter((claim) => !withdrawn.includes(claim));
  state.totals.withdrawn += withdrawn.filter((claim) => claim.source !== "fill").length;
  return withdrawn;
}

/** Hosts in rotation or about to be: the load balancer's backends. */
export function rotation(state: FleetState): HostRecord[] {
  const inRotation: readonly HostState[] = ["promoting", "serving", "updating", "draining"];
  return state.hosts.filter((host) => inRotation.includes(host.state));
}

/** Starts to take a serving host out: it drains, then is verified for standby or retired. */
export function demoteHost(
  state: FleetState,
  host: HostRecord,
  change: { next: "standby" | "retire"; nowMs: number },
): void {
  moveHost(state, host, { to: "draining", nowMs: change.nowMs });
  host.next = change.next;
  host.claimId = null;
}

/** A host is lost: it is given up, or kept in quarantine when a person holds it back. */
export function loseHost(state: FleetState, host: HostRecord, nowMs: number): void {
  leaveRotation(state, host, { to: host.cordoned ? "quarantined" : "failed", nowMs });
}

/** On its way out for good, drained first or not. */
export function isLeaving({ state, next }: HostRecord): boolean {
  return state === "retiring" || (state === "draining" && next === "retire");
}

/** Removes a host that the provider has released. */
export function removeHost(state: FleetState, host: HostRecord, nowMs: number): void {
  if (host.state === "draining") moveHost(state, host, { to: "retiring", nowMs });
  moveHost(state, host, { to: "retired", nowMs });
  state.hosts = state.hosts.filter((other) => other !== host);
}
