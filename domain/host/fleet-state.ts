import type { FleetTemplate } from "../../schema/fleet-template.ts";
import type { BootstrapPhase, HostState } from "./host-state.ts";
import { hostStates } from "./host-state.ts";

/** What every host of the fleet must hold, and the blob with the signed manifest that says so. */
export interface GoldenReference {
  epoch: number;
  /** SHA-256 of the canonical manifest without epoch, expiry and signature. */
  digest: string;
  /** SHA-256 of the stored signed manifest. */
  bundle: string;
  /** Hosts refuse the manifest from here on; milliseconds since the epoch. */
  expiresAtMs: number;
  /** SHA-256 of the public key that signed it. */
  keyId: string;
}

/** One host as its fleet sees it; the store holds the rest. */
export interface HostRecord {
  ordinal: number;
  zone: string;
  state: HostState;
  sinceMs: number;
  /** Golden epoch and digest the host was last verified with; epoch 0 before the first verification. */
  epoch: number;
  digest: string;
  verifiedAtMs: number;
  /** Where a `verifying`, `refreshing` or `draining` host goes when it is done. */
  next: "standby" | "serving" | "retire" | null;
  /** The claim that holds this host; null for a host that no claim or only demand holds. */
  claimId: string | null;
  /** Whether a claim has ever taken it; an unused host is kept longer, as its start would be for nothing. */
  used: boolean;
  /** Left alone for a person: not claimed, updated, demoted or retired. A serving host goes on serving. */
  cordoned: boolean;
}

/** A claim that found no claimable standby and waits for one. */
export interface WaitingClaim {
  claimId: string;
  /** `fill` for the first hosts of a new fleet: nobody could have had them warm, so they are in no count. */
  source: "demand" | "operator" | "fill";
  requestedAtMs: number;
}

/** The answer a claim got, kept so that the same claim id is always answered with the same host. */
export interface GrantedClaim {
  claimId: string;
  ordinal: number;
}

/** A golden change whose first half of standby is not done yet; once it is, the golden moves and this ends. */
export interface GoldenChange {
  to: GoldenReference;
}

export interface CapacityTargets {
  serving: number;
  standby: number;
  explanation: string;
  basis: string;
  decidedAtMs: number;
  validUntilMs: number;
  /** Median seconds from decision to standby; what a waiting claim is told. */
  leadTimeSecondsP50: number | null;
  /** Demand measured in the last step; null when it is not known. */
  demand: number | null;
  /** Forecast demand of the coming steps as [q10, q50, q90]; empty without a forecast. */
  band: number[][];
}

export interface ClaimTotals {
  claims: number;
  warmHits: number;
  waited: number;
  withdrawn: number;
  promotedWithStaleConfiguration: number;
}

/** The whole state of the fleet workflow: plain JSON, carried through continue-as-new. */
export interface FleetState {
  fleet: string;
  template: FleetTemplate | null;
  templateVersion: number;
  /** Raw Ed25519 public keys, base64, whose signatures hosts accept. */
  signingKeys: string[];
  golden: GoldenReference | null;
  goldenChange: GoldenChange | null;
  /** Hosts that failed with the golden that is wanted since it was proposed. */
  goldenFailures: number;
  hosts: HostRecord[];
  nextOrdinal: number;
  nextBatch: number;
  nextFence: number;
  nextDemandClaim: number;
  stateVersion: number;
  tick: number;
  waiting: WaitingClaim[];
  granted: GrantedClaim[];
  targets: CapacityTargets | null;
  /** Where users' requests go, once the load balancer has the fleet. */
  endpoint: string | null;
  totals: ClaimTotals;
  hostStarts: number;
  /** Rising counters of the balancer at the last tick, so that demand survives a restart. */
  counters: { startedAtMs: number; atMs: number; offered: number } | null;
  /** The newest things a person should know, newest last. */
  notices: { atMs: number; text: string }[];
}

export function emptyFleetState(fleet: string): FleetState {
  return {
    fleet,
    template: null,
    templateVersion: 0,
    signingKeys: [],
    golden: null,
    goldenChange: null,
    goldenFailures: 0,
    hosts: [],
    nextOrdinal: 1,
    nextBatch: 1,
    nextFence: 1,
    nextDemandClaim: 1,
    stateVersion: 1,
    tick: 0,
    waiting: [],
    granted: [],
    targets: null,
    endpoint: null,
    totals: { claims: 0, warmHits: 0, waited: 0, withdrawn: 0, promotedWithStaleConfiguration: 0 },
    hostStarts: 0,
    counters: null,
    notices: [],
  };
}

export function hostIdOf(fleet: string, ordinal: number): string {
  return `${fleet}-${ordinal}`;
}

/** The ordinal in a host id of this fleet, or null for any other text. */
export function ordinalOf(fleet: string, hostId: string): number | null {
  if (!hostId.startsWith(`${fleet}-`)) return null;
  const ordinal = Number(hostId.slice(fleet.length + 1));
  return Number.isInteger(ordinal) && ordinal > 0 ? ordinal : null;
}

/** The host of an id, or undefined. */
export function findHost(state: FleetState, hostId: string): HostRecord | undefined {
  const ordinal = ordinalOf(state.fleet, hostId);
  return ordinal === null ? undefined : state.hosts.find((host) => host.ordinal === ordinal);
}

/** States of a host that is still being bootstrapped. */
export const bootstrappingStates: readonly HostState[] = [
  "planned",
  "allocating",
  "booting",
  "connecting",
  "staging",
  "configuring",
  "starting",
];

export function isBootstrapping(host: HostRecord): boolean {
  return bootstrappingStates.includes(host.state) || (host.state === "verifying" && host.epoch === 0);
}

export type CompactHost = [
  ordinal: number,
  zone: number,
  state: number,
  sinceSeconds: number,
  epoch: number,
  digest: number,
  verifiedSeconds: number,
  /** `next`, plus 4 when used, plus 8 when cordoned. */
  nextAndMarks: number,
];

/** Fleet state with hosts as rows of numbers (≤ 48 bytes each), so that 2,000 hosts fit one payload. */
export interface CompactFleetState extends Omit<FleetState, "hosts" | "granted"> {
  baseMs: number;
  zones: string[];
  digests: string[];
  rows: CompactHost[];
  /** Remembered answers; 1 where the host still holds the claim, so that no id is written twice. */
  granted: [ordinal: number, claimId: string, held: 0 | 1][];
  /** Claims of hosts whose answer is no longer remembered. */
  claimed: [ordinal: number, claimId: string][];
}

const nextCodes = [null, "standby", "serving", "retire"] as const;

const usedMark = 4;
const cordonedMark = 8;

function nextAndMarks(host: HostRecord): number {
  return nextCodes.indexOf(host.next) + (host.used ? usedMark : 0) + (host.cordoned ? cordonedMark : 0);
}

function indexIn(list: string[], value: string): number {
  const found = list.indexOf(value);
  return found >= 0 ? found : list.push(value) - 1;
}

/** Packs the state for continue-as-new; times keep whole milliseconds relative to the oldest. */
export function packFleetState(state: FleetState): CompactFleetState {
  const { hosts, granted, ...rest } = state;
  const zones: string[] = [];
  const digests: string[] = [];
  const baseMs = Math.min(
    ...hosts.map((host) => host.sinceMs),
    ...hosts.map((host) => host.verifiedAtMs || Infinity),
    2 ** 52,
  );
  const rows = hosts.map((host): CompactHost => [
    host.ordinal,
    indexIn(zones, host.zone),
    hostStates.indexOf(host.state),
    host.sinceMs - baseMs,
    host.epoch,
    indexIn(digests, host.digest),
    host.verifiedAtMs === 0 ? -1 : host.verifiedAtMs - baseMs,
    nextAndMarks(host),
  ]);
  const claims = new Map(hosts.map((host) => [host.ordinal, host.claimId]));
  const answers = granted.map(({ ordinal, claimId }): [number, string, 0 | 1] => {
    const isHeld = claims.get(ordinal) === claimId;
    if (isHeld) claims.delete(ordinal);
    return [ordinal, claimId, isHeld ? 1 : 0];
  });
  const claimed = [...claims].flatMap(([ordinal, claimId]): [number, string][] =>
    claimId === null ? [] : [[ordinal, claimId]],
  );
  return { ...rest, baseMs, zones, digests, rows, granted: answers, claimed };
}

/** The inverse of `packFleetState`. */
export function unpackFleetState(compact: CompactFleetState): FleetState {
  const { baseMs, zones, digests, rows, granted, claimed, ...rest } = compact;
  const held = granted.filter(([, , isHeld]) => isHeld === 1);
  const claims = new Map([...claimed, ...held.map(([ordinal, claimId]) => [ordinal, claimId] as const)]);
  const hosts = rows.map(([ordinal, zone, state, since, epoch, digest, verified, code]): HostRecord => ({
    ordinal,
    zone: zones[zone] ?? "",
    state: hostStates[state] ?? "failed",
    sinceMs: baseMs + since,
    epoch,
    digest: digests[digest] ?? "",
    verifiedAtMs: verified < 0 ? 0 : baseMs + verified,
    next: nextCodes[code % usedMark] ?? null,
    claimId: claims.get(ordinal) ?? null,
    used: (code & usedMark) !== 0,
    cordoned: (code & cordonedMark) !== 0,
  }));
  return { ...rest, hosts, granted: granted.map(([ordinal, claimId]) => ({ claimId, ordinal })) };
}

/** What a bootstrap tells its fleet when it ended, one way or the other. */
export interface BootstrapOutcome {
  hostId: string;
  outcome: "standby" | "failed" | "quarantined";
  phase: BootstrapPhase;
  epoch: number;
  digest: string;
  verifiedAtMs: number;
  reason: string;
}

/** How an update of a host ended: holding the golden and verified, or not fit. */
export interface UpdateOutcome {
  hostId: string;
  outcome: "settled" | "failed" | "quarantined";
  /** Error code of a failure, empty otherwise. */
  code: string;
  /** Digest it was to hold. */
  wanted: string;
  epoch: number;
  digest: string;
  verifiedAtMs: number;
  reason: string;
}
