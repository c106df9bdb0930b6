import { array, assert, constantFrom, property } from "fast-check";
import { describe, expect, it } from "vitest";
import { isForewarmError } from "../../../domain/errors.ts";
import type { HostState } from "../../../domain/host/host-state.ts";
import {
  bootstrapPhases,
  canTransition,
  hostStates,
  stateOfPhase,
  transition,
} from "../../../domain/host/host-state.ts";

const anyState = constantFrom(...hostStates);

function reachableFrom(start: HostState): Set<HostState> {
  const seen = new Set<HostState>([start]);
  for (const from of seen) for (const to of hostStates) if (canTransition(from, to)) seen.add(to);
  return seen;
}

function attempt(change: () => HostState): unknown {
  try {
    return change();
  } catch (error) {
    return isForewarmError(error) ? { code: error.code, message: error.message } : error;
  }
}

describe("the table of host states", () => {
  it("lets every live host fail or be quarantined, and no other", () => {
    for (const from of hostStates) {
      const isLive = from !== "retiring" && from !== "retired";
      expect([from, canTransition(from, "failed")]).toEqual([from, isLive && from !== "failed"]);
      expect([from, canTransition(from, "quarantined")]).toEqual([from, isLive && from !== "quarantined"]);
    }
  });

  it("lets nothing leave retired, and retired be reached from everywhere", () => {
    expect([...reachableFrom("retired")]).toEqual(["retired"]);
    for (const from of hostStates) expect([from, reachableFrom(from).has("retired")]).toEqual([from, true]);
  });

  it("leads from planned to every state", () => {
    expect(reachableFrom("planned")).toEqual(new Set(hostStates));
  });

  it("lets traffic reach a host by way of verification alone", () => {
    const before = (state: HostState): HostState[] => hostStates.filter((from) => canTransition(from, state));
    expect(before("standby")).toEqual(["verifying"]);
    expect(before("promoting")).toEqual(["standby"]);
    expect(before("serving").sort()).toEqual(["promoting", "updating"]);
  });

  it("goes through the bootstrap phases in their order", () => {
    const path: HostState[] = ["planned", ...bootstrapPhases.map(stateOfPhase), "standby"];
    for (const [index, from] of path.slice(0, -1).entries())
      expect(transition(from, path[index + 1]!)).toBe(path[index + 1]);
    for (let skipped = 0; skipped < path.length - 2; skipped += 1)
      expect(canTransition(path[skipped]!, path[skipped + 2]!)).toBe(false);
  });

  it("throws INVARIANT naming both states exactly where the table forbids the change", () => {
    assert(
      property(anyState, anyState, (from, to) => {
        const outcome = attempt(() => transition(from, to));
        const refusal = { code: "INVARIANT", message: `a host cannot go from ${from} to ${to}` };
        expect(outcome).toEqual(canTransition(from, to) ? to : refusal);
      }),
    );
  });

  it("has no walk that serves twice without being taken out of rotation or verified between two claims", () => {
    assert(
      property(array(anyState, { maxLength: 60 }), (wishes) => {
        let state: HostState = "planned";
        let verified = false;
        for (const wish of wishes) {
          if (!canTransition(state, wish)) continue;
          state = wish;
          if (state === "verifying") verified = true;
          expect(state !== "promoting" || verified).toBe(true);
          if (state === "serving") verified = false;
        }
      }),
    );
  });
});
