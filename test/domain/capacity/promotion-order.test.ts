import * as fc from "fast-check";
import { expect, test } from "vitest";
import { isClaimable, promotionOrder, type StandbyCandidate } from "../../../domain/capacity/promotion-order.ts";

function standby(hostId: string, changes: Partial<StandbyCandidate> = {}): StandbyCandidate {
  return { hostId, state: "standby", epoch: 3, liveDigest: "gold", verifiedAtMs: 100, delegated: false, ...changes };
}

test("claimable: standby, verified, golden content, not delegated", () => {
  expect(isClaimable(standby("a"), "gold")).toBe(true);
  expect(isClaimable(standby("a", { state: "refreshing" }), "gold")).toBe(false);
  expect(isClaimable(standby("a", { liveDigest: "old" }), "gold")).toBe(false);
  expect(isClaimable(standby("a", { verifiedAtMs: null }), "gold")).toBe(false);
  expect(isClaimable(standby("a", { delegated: true }), "gold")).toBe(false);
});

test("an older epoch with equal content stays claimable", () => {
  expect(isClaimable(standby("a", { epoch: 1 }), "gold")).toBe(true);
});

test("newest epoch first, then the longest verified, then the host id", () => {
  const hosts = [
    standby("d", { verifiedAtMs: 50 }),
    standby("c", { epoch: 4, verifiedAtMs: 200 }),
    standby("b"),
    standby("a"),
    standby("e", { liveDigest: "old", epoch: 9 }),
  ];
  expect(promotionOrder(hosts, "gold").map(({ hostId }) => hostId)).toEqual(["c", "d", "a", "b"]);
});

test("the order does not depend on how the hosts came in", () => {
  const hosts = ["a", "b", "c", "d", "e"].map((id, index) =>
    standby(id, { verifiedAtMs: index % 2, epoch: index % 3 }),
  );
  const expected = promotionOrder(hosts, "gold");
  const anyOrder = fc.property(fc.shuffledSubarray(hosts, { minLength: 5 }), (shuffled) => {
    expect(promotionOrder(shuffled, "gold")).toEqual(expected);
  });
  fc.assert(anyOrder);
});
