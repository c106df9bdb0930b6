import type { PoolCounts } from "../domain/capacity/capacity-decision.ts";
import type { PoolForPlan, PoolPlan } from "../domain/capacity/plan-pool.ts";
import { promotionOrder, type StandbyCandidate } from "../domain/host/promotion-order.ts";
import type { DayEvents, HostStart } from "./report.ts";

interface ReplayHost extends StandbyCandidate {
  /** When the running bootstrap or verification ends. */
  readyAtMs: number;
  decidedAtMs: number;
  /** Whether a claim has taken it yet. */
  used: boolean;
  /** Null for a host whose start is not counted (before the day). */
  start: HostStart | null;
}

interface WaitingClaim {
  madeAtMs: number;
  counted: boolean;
}

/** Hosts, waiting claims and counters of one replay. Time only moves forward, through `advanceTo`. */
export interface ReplayPool {
  nowMs: number;
  /** Counting begins here; what happened before is warm-up. */
  countFromMs: number;
  golden: { digest: string };
  goldenEpoch: number;
  reverifySeconds: number;
  hosts: ReplayHost[];
  waiting: WaitingClaim[];
  waitsMs: number[];
  starts: HostStart[];
  idleHostMs: number;
  shortageHostMs: number;
  staleHandOuts: number;
  nextOrdinal: number;
}

export interface PoolStart {
  nowMs: number;
  countFromMs: number;
  servingHosts: number;
  reverifySeconds: number;
}

export function createReplayPool({ nowMs, countFromMs, servingHosts, reverifySeconds }: PoolStart): ReplayPool {
  const pool: ReplayPool = {
    nowMs,
    countFromMs,
    golden: { digest: "golden-1" },
    goldenEpoch: 1,
    reverifySeconds,
    hosts: [],
    waiting: [],
    waitsMs: [],
    starts: [],
    idleHostMs: 0,
    shortageHostMs: 0,
    staleHandOuts: 0,
    nextOrdinal: 0,
  };
  for (let count = 0; count < servingHosts; count += 1) pool.hosts.push(newHost(pool, 0, "serving"));
  return pool;
}

/** Moves time on; bootstraps and verifications that end on the way go to the longest waiting claim or to standby. */
export function advanceTo(pool: ReplayPool, timeMs: number): void {
  const ending = pool.hosts
    .filter((host) => isInFlight(host) && host.readyAtMs <= timeMs)
    .sort((left, right) => left.readyAtMs - right.readyAtMs);
  for (const host of ending) {
    passTime(pool, host.readyAtMs);
    becomeReady(pool, host);
  }
  passTime(pool, timeMs);
}

function passTime(pool: ReplayPool, timeMs: number): void {
  const counted = Math.max(0, timeMs - Math.max(pool.nowMs, pool.countFromMs));
  pool.idleHostMs += counted * pool.hosts.filter((host) => host.state === "standby").length;
  pool.shortageHostMs += counted * pool.waiting.length;
  pool.nowMs = Math.max(pool.nowMs, timeMs);
}

function becomeReady(pool: ReplayPool, host: ReplayHost): void {
  host.state = "standby";
  host.verifiedAtMs = Math.max(1, host.readyAtMs);
  host.epoch = pool.goldenEpoch;
  host.digest = pool.golden.digest;
  if (host.start !== null && host.start.verifiedAtMs === null) host.start.verifiedAtMs = host.readyAtMs;
  const claim = pool.waiting.shift();
  if (claim === undefined) return;
  if (claim.counted) pool.waitsMs.push(host.readyAtMs - claim.madeAtMs);
  handOut(pool, host, claim.madeAtMs);
}

function handOut(pool: ReplayPool, host: ReplayHost, claimMadeAtMs: number): void {
  if (host.digest !== pool.golden.digest) pool.staleHandOuts += 1;
  host.state = "serving";
  host.used = true;
  if (host.start !== null) host.start.claimedAtMs ??= claimMadeAtMs;
}

function isInFlight(host: ReplayHost): boolean {
  return host.state === "booting" || host.state === "verifying";
}

/** The pool as `decideCapacity` sees it. */
export function countsOf(pool: ReplayPool): PoolCounts {
  return {
    serving: countState(pool, "serving"),
    standby: countState(pool, "standby") + countState(pool, "verifying"),
    bootstrappingAgesSeconds: pool.hosts
      .filter((host) => host.state === "booting")
      .map((host) => (pool.nowMs - host.decidedAtMs) / 1000),
    unusedStandbyAgesSeconds: pool.hosts
      .filter((host) => host.state === "standby" && !host.used)
      .map((host) => (pool.nowMs - host.verifiedAtMs) / 1000),
  };
}

/** The pool as `planPool` sees it. */
export function poolForPlan(pool: ReplayPool, maxHosts: number): PoolForPlan {
  const claimable = promotionOrder(pool.hosts, pool.golden).length;
  return {
    serving: countState(pool, "serving"),
    claimable,
    otherStandby: countState(pool, "standby") - claimable,
    inFlight: pool.hosts.filter(isInFlight).length,
    leaving: 0,
    maxHosts,
  };
}

function countState(pool: ReplayPool, state: ReplayHost["state"]): number {
  return pool.hosts.filter((host) => host.state === state).length;
}

/** Carries a plan out; `leadSeconds` draws the lead time of each launch. */
export function carryOut(pool: ReplayPool, plan: PoolPlan, leadSeconds: () => number): void {
  const counted = pool.nowMs >= pool.countFromMs;
  for (const host of promotionOrder(pool.hosts, pool.golden).slice(0, plan.promote)) {
    if (counted) pool.waitsMs.push(0);
    handOut(pool, host, pool.nowMs);
  }
  queueClaims(pool, plan.shortfall, counted);
  demote(pool, plan.demote);
  retireLeastPreferred(pool, plan.retire);
  for (let count = 0; count < plan.launch; count += 1) launch(pool, leadSeconds(), counted);
}

function retireLeastPreferred(pool: ReplayPool, count: number): void {
  const order = promotionOrder(pool.hosts, pool.golden);
  const leaving = new Set(order.slice(order.length - count));
  pool.hosts = pool.hosts.filter((host) => !leaving.has(host));
}

/** Claims already waiting are not made again; those no longer needed are withdrawn and stay misses. */
function queueClaims(pool: ReplayPool, shortfall: number, counted: boolean): void {
  while (pool.waiting.length < shortfall) pool.waiting.push({ madeAtMs: pool.nowMs, counted });
  for (const claim of pool.waiting.splice(shortfall)) {
    if (claim.counted) pool.waitsMs.push(pool.nowMs - claim.madeAtMs);
  }
}

/** The longest unverified host leaves first; it is verified again before it stands by. */
function demote(pool: ReplayPool, count: number): void {
  for (const host of pool.hosts.filter(({ state }) => state === "serving").slice(0, count)) {
    host.state = "verifying";
    host.verifiedAtMs = 0;
    host.readyAtMs = pool.nowMs + pool.reverifySeconds * 1000;
  }
}

function launch(pool: ReplayPool, leadSeconds: number, counted: boolean): void {
  const host = newHost(pool, leadSeconds, "booting");
  pool.hosts.push(host);
  if (!counted) return;
  host.start = { decidedAtMs: pool.nowMs, verifiedAtMs: null, claimedAtMs: null };
  pool.starts.push(host.start);
}

function newHost(pool: ReplayPool, leadSeconds: number, state: "booting" | "serving"): ReplayHost {
  pool.nextOrdinal += 1;
  return {
    ordinal: pool.nextOrdinal,
    state,
    epoch: pool.goldenEpoch,
    digest: pool.golden.digest,
    verifiedAtMs: 0,
    cordoned: false,
    readyAtMs: pool.nowMs + leadSeconds * 1000,
    decidedAtMs: pool.nowMs,
    used: state === "serving",
    start: null,
  };
}

/** Closes the day: claims still waiting have waited until now. */
export function eventsOf(pool: ReplayPool, steps: number): DayEvents {
  const open = pool.waiting.filter(({ counted }) => counted).map(({ madeAtMs }) => pool.nowMs - madeAtMs);
  return {
    steps,
    waitsMs: [...pool.waitsMs, ...open],
    starts: pool.starts,
    idleHostMs: pool.idleHostMs,
    shortageHostMs: pool.shortageHostMs,
    staleHandOuts: pool.staleHandOuts,
  };
}
