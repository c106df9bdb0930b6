import * as fc from "fast-check";
import { expect, test } from "vitest";
import { isClaimable, promotionOrder, type StandbyCandidate } from "../../../domain/host/promotion-order.ts";

const golden = { digest: "gold" };

function standby(ordinal: number, changes: Partial<StandbyCandidate> = {}): StandbyCandidate {
  return { ordinal, state: "standby", epoch: 3, digest: "gold", verifiedAtMs: 100, cordoned: false, ...changes };
}

test("claimable: standby, verified, golden content", () => {
  expect(isClaimable(standby(1), golden)).toBe(true);
  expect(isClaimable(standby(1, { cordoned: true }), golden)).toBe(false);
  expect(isClaimable(standby(1, { state: "refreshing" }), golden)).toBe(false);
  expect(isClaimable(standby(1, { digest: "old" }), golden)).toBe(false);
  expect(isClaimable(standby(1, { verifiedAtMs: 0 }), golden)).toBe(false);
  expect(isClaimable(standby(1), null)).toBe(false);
});

test("an older epoch with equal content stays claimable", () => {
  expect(isClaimable(standby(1, { epoch: 1 }), golden)).toBe(true);
});

test("newest epoch first, then the longest verified, then the lowest ordinal", () => {
  const hosts = [
    standby(4, { verifiedAtMs: 50 }),
    standby(3, { epoch: 4, verifiedAtMs: 200 }),
    standby(2),
    standby(1),
    standby(5, { digest: "old", epoch: 9 }),
  ];
  expect(promotionOrder(hosts, golden).map(({ ordinal }) => ordinal)).toEqual([3, 4, 1, 2]);
});

test("the order does not depend on how the hosts came in", () => {
  const hosts = [1, 2, 3, 4, 5].map((ordinal, index) =>
    standby(ordinal, { verifiedAtMs: (index % 2) + 1, epoch: index % 3 }),
  );
  const expected = promotionOrder(hosts, golden);
  const anyOrder = fc.property(fc.shuffledSubarray(hosts, { minLength: 5 }), (shuffled) => {
    expect(promotionOrder(shuffled, golden)).toEqual(expected);
  });
  fc.assert(anyOrder);
});
