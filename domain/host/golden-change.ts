import type { FleetState, GoldenReference, HostRecord } from "./fleet-state.ts";
import { isBootstrapping } from "./fleet-state.ts";

/** What the golden configuration asks for right now; computed anew after every change, so nothing can be missed. */
export interface GoldenSteps {
  /** Standby hosts to bring to `golden`, out of the claimable set until they are verified. */
  refresh: HostRecord[];
  /** Serving hosts to update in place. */
  update: HostRecord[];
  golden: GoldenReference | null;
  /** The change's first half is done: the fleet's golden moves now. */
  commit: boolean;
}

const nothing: GoldenSteps = { refresh: [], update: [], golden: null, commit: false };

function isStandbyOnTheWay(host: HostRecord): boolean {
  if (isBootstrapping(host)) return false;
  return host.next === "standby" && (host.state === "refreshing" || host.state === "verifying");
}

/**
 * More hosts failed with a golden than hold it: it goes no further until people mend it, or apply it once more. Without
 * this a broken one would be installed on host after host, each of them destroyed as it fails.
 */
export function isHeldBack({ hosts, goldenFailures }: FleetState, golden: GoldenReference): boolean {
  return goldenFailures > hosts.filter((host) => host.digest === golden.digest && host.state !== "failed").length;
}

/** Half of standby takes the candidate first; the other half stays claimable at the old golden until it moves. */
function firstHalf(state: FleetState, to: GoldenReference): GoldenSteps {
  const standby = state.hosts.filter((host) => host.state === "standby" && !host.cordoned);
  const onTheWay = state.hosts.filter(isStandbyOnTheWay).length;
  const fresh = standby.filter((host) => host.digest === to.digest);
  if (isHeldBack(state, to)) return nothing;
  const half = Math.ceil((standby.length + onTheWay) / 2);
  if (fresh.length >= half && onTheWay === 0) return { ...nothing, golden: to, commit: true };
  const missing = half - fresh.length - onTheWay;
  const stale = standby.filter((host) => host.digest !== to.digest);
  return { ...nothing, refresh: stale.slice(0, Math.max(0, missing)), golden: to };
}

/** Everything that holds another digest than the golden follows: standby at once, serving within the budget; what is cordoned follows later. */
function rest(state: FleetState, golden: GoldenReference): GoldenSteps {
  if (isHeldBack(state, golden)) return nothing;
  const stale = state.hosts.filter((host) => host.digest !== golden.digest && !host.cordoned);
  const serving = state.hosts.filter((host) => host.state === "serving" || host.state === "updating");
  const percent = state.template?.golden.max_updating_percent ?? 10;
  const budget = Math.max(1, Math.floor((serving.length * percent) / 100));
  const updating = serving.filter((host) => host.state === "updating").length;
  return {
    refresh: stale.filter((host) => host.state === "standby"),
    update: stale
      .filter((host) => host.state === "serving" && host.next !== "retire")
      .slice(0, Math.max(0, budget - updating)),
    golden,
    commit: false,
  };
}

/** The next steps of a golden change without a push (design: half of standby, golden, the other half, serving). */
export function planGoldenSteps(state: FleetState): GoldenSteps {
  if (state.goldenChange !== null) return firstHalf(state, state.goldenChange.to);
  return state.golden === null ? nothing : rest(state, state.golden);
}

/** The golden that the fleet is on its way to, or holds. */
function goldenWanted(state: FleetState): GoldenReference | null {
  return state.goldenChange?.to ?? state.golden;
}

/** Why a golden may not be taken, or null: other content needs a newer epoch than any before. */
export function refuseGolden(state: FleetState, golden: GoldenReference): string | null {
  const wanted = goldenWanted(state);
  if (wanted === null || wanted.digest === golden.digest || golden.epoch > wanted.epoch) return null;
  return `epoch ${golden.epoch} is not newer than epoch ${wanted.epoch}`;
}

/**
 * Makes a golden the one to reach; false when it is so already. A newer one supersedes a change under way, so that a
 * golden on which no host comes up can be replaced; the content in force, signed anew, calls the change off. The same
 * content under a newer epoch only takes the place of the signature, and once it was held back it is tried again.
 */
export function proposeGolden(state: FleetState, golden: GoldenReference): boolean {
  const wanted = goldenWanted(state);
  if (wanted?.digest === golden.digest) return proposeAgain(state, wanted, golden);
  state.goldenFailures = 0;
  const isInForce = state.golden === null || state.golden.digest === golden.digest;
  if (isInForce) state.golden = golden;
  state.goldenChange = isInForce ? null : { to: golden };
  return true;
}

function proposeAgain(state: FleetState, wanted: GoldenReference, golden: GoldenReference): boolean {
  const isNewer = golden.epoch > wanted.epoch;
  if (isNewer && state.goldenChange !== null) state.goldenChange = { to: golden };
  else if (isNewer) state.golden = golden;
  const wasHeldBack = isHeldBack(state, golden);
  state.goldenFailures = 0;
  return isNewer || wasHeldBack;
}
