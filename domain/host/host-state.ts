import { invariant } from "../errors.ts";

/** The seven steps of a bootstrap, in order. */
export const bootstrapPhases = ["allocate", "boot", "connect", "stage", "configure", "start", "verify"] as const;
export type BootstrapPhase = (typeof bootstrapPhases)[number];

/** Every state a host can be in. The position is the compact code of a host row, so new states go at the end. */
export const hostStates = [
  "planned",
  "allocating",
  "booting",
  "connecting",
  "staging",
  "configuring",
  "starting",
  "verifying",
  "standby",
  "promoting",
  "serving",
  "updating",
  "draining",
  "refreshing",
  "quarantined",
  "failed",
  "retiring",
  "retired",
  "stopped",
] as const;
export type HostState = (typeof hostStates)[number];

const anywhere: readonly HostState[] = ["quarantined", "failed"];

/** The one table of legal changes. `quarantined` and `failed` can be entered from every live state. */
const transitions: Record<HostState, readonly HostState[]> = {
  planned: ["allocating", "retiring"],
  allocating: ["booting", "retiring"],
  booting: ["connecting", "retiring"],
  connecting: ["staging", "retiring"],
  staging: ["configuring", "retiring"],
  configuring: ["starting", "retiring"],
  starting: ["verifying", "retiring"],
  verifying: ["standby", "retiring"],
  standby: ["promoting", "refreshing", "stopped", "retiring"],
  promoting: ["serving", "verifying"],
  serving: ["updating", "draining"],
  updating: ["serving", "draining"],
  draining: ["verifying", "retiring"],
  refreshing: ["verifying", "retiring"],
  quarantined: ["verifying", "retiring"],
  failed: ["retiring"],
  retiring: ["retired"],
  retired: [],
  stopped: ["booting", "retiring"],
};

/** Whether a host may go from one state to another. */
export function canTransition(from: HostState, to: HostState): boolean {
  if (anywhere.includes(to)) return from !== "retiring" && from !== "retired" && from !== to;
  return transitions[from].includes(to);
}

/** Returns `to`, or throws INVARIANT when the table forbids the change. */
export function transition(from: HostState, to: HostState): HostState {
  invariant(canTransition(from, to), `a host cannot go from ${from} to ${to}`);
  return to;
}

/** The state a host is in while a bootstrap phase runs. */
export function stateOfPhase(phase: BootstrapPhase): HostState {
  const states: Record<BootstrapPhase, HostState> = {
    allocate: "allocating",
    boot: "booting",
    connect: "connecting",
    stage: "staging",
    configure: "configuring",
    start: "starting",
    verify: "verifying",
  };
  return states[phase];
}
