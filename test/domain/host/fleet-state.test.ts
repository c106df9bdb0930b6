import { array, assert, integer, property } from "fast-check";
import { describe, expect, it } from "vitest";
import {
  findHost,
  hostIdOf,
  ordinalOf,
  packFleetState,
  unpackFleetState,
  type CompactFleetState,
} from "../../../domain/host/fleet-state.ts";
import { limits } from "../../../domain/limits.ts";
import { anyFleetState, anyHost, fleetOf, hostOf } from "./fleet-fixture.ts";

const throughJson = (compact: CompactFleetState): CompactFleetState => JSON.parse(JSON.stringify(compact));
const bytesOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));

describe("packFleetState", () => {
  it("comes back whole, also through JSON", () => {
    assert(
      property(anyFleetState, (state) => {
        expect(unpackFleetState(throughJson(packFleetState(state)))).toEqual(state);
      }),
    );
  });

  it("comes back whole without hosts", () => {
    expect(unpackFleetState(throughJson(packFleetState(fleetOf([]))))).toEqual(fleetOf([]));
  });

  it("keeps 2,000 hosts within the row and payload bounds, every one of them claimed", () => {
    const oneFleet = array(anyHost, { minLength: limits.hostsMax, maxLength: limits.hostsMax });
    assert(
      property(oneFleet, integer({ min: 1, max: 100_000 }), (hosts, first) => {
        const claimIds = hosts.map((_, index) => `1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbb${String(index).padStart(5, "0")}`);
        const state = fleetOf(
          hosts.map((host, index) => ({ ...host, ordinal: first + index, claimId: claimIds[index]! })),
          { granted: claimIds.map((claimId, index) => ({ claimId, ordinal: first + index })) },
        );
        const packed = packFleetState(state);
        for (const row of packed.rows) expect(bytesOf(row) + 1).toBeLessThanOrEqual(limits.hostRowBytesMax);
        expect(bytesOf(packed)).toBeLessThanOrEqual(limits.fleetStateBytesMax);
        expect(unpackFleetState(throughJson(packed))).toEqual(state);
      }),
      { numRuns: 3, endOnFailure: true },
    );
  });
});

describe("host ids", () => {
  it("are found again by ordinal", () => {
    assert(
      property(integer({ min: 1, max: 1_000_000 }), (ordinal) => {
        expect(ordinalOf("web", hostIdOf("web", ordinal))).toBe(ordinal);
      }),
    );
  });

  it.each(["web", "web-", "web-0", "web--1", "web-1.5", "web-x", "webs-1", "other-1", ""])(
    "are not taken from %j",
    (text) => {
      expect(ordinalOf("web", text)).toBeNull();
      expect(findHost(fleetOf([hostOf(1)]), text)).toBeUndefined();
    },
  );
});
