import { array, assert, integer, property } from "fast-check";
import { describe, expect, it } from "vitest";
import {
  chooseBackend,
  epochFactor,
  slowStartFactor,
  type Candidate,
  type SelectionPolicy,
} from "../../../providers/load-balancer/local/selection.ts";

const even: SelectionPolicy = { preferNewest: "off", slowStartMs: 0 };

interface NamedCandidate extends Candidate {
  id: number;
}

function candidate(id: number, change: Partial<Candidate> = {}): NamedCandidate {
  const usual = { weight: 1, epoch: 1, draining: false, healthy: true, ejected: false, activeSinceMs: 0, inFlight: 0 };
  return { id, ...usual, credit: 0, share: 0, ...change };
}

/** Parts of `count` requests that each backend gets when each request ends before the next one comes. */
function idleShares(backends: NamedCandidate[], policy: SelectionPolicy, nowMs = 0): number[] {
  const count = 2000;
  const chosen = backends.map(() => 0);
  for (let request = 0; request < count; request += 1) {
    const best = chooseBackend(backends, policy, { nowMs, exclude: null })!;
    chosen[best.id] = (chosen[best.id] ?? 0) + 1;
  }
  return chosen.map((own) => own / count);
}

/** In-flight counts after `count` requests that never end. */
function pileUp(backends: NamedCandidate[], count: number): number[] {
  for (let request = 0; request < count; request += 1) {
    chooseBackend(backends, even, { nowMs: 0, exclude: null })!.inFlight += 1;
  }
  return backends.map(({ inFlight }) => inFlight);
}

describe("choice of a backend", () => {
  it("follows the weights when nothing else is in flight", () => {
    assert(
      property(array(integer({ min: 1, max: 256 }), { minLength: 1, maxLength: 12 }), (weights) => {
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        const shares = idleShares(
          weights.map((weight, id) => candidate(id, { weight })),
          even,
        );
        shares.forEach((share, id) => expect(share).toBeCloseTo(weights[id]! / total, 1.5));
      }),
      { numRuns: 50 },
    );
  });

  it("spreads requests in flight by weight, to within two requests", () => {
    assert(
      property(array(integer({ min: 1, max: 256 }), { minLength: 1, maxLength: 12 }), (weights) => {
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        const inFlight = pileUp(
          weights.map((weight, id) => candidate(id, { weight })),
          200,
        );
        inFlight.forEach((own, id) => expect(Math.abs(own - (200 * weights[id]!) / total)).toBeLessThan(2));
      }),
      { numRuns: 50 },
    );
  });

  it("avoids a backend that does not answer", () => {
    const backends = [candidate(0, { inFlight: 10 }), candidate(1), candidate(2)];
    expect(idleShares(backends, even)[0]).toBe(0);
  });

  it("never takes one that is unhealthy, draining, weightless, ejected or just failed", () => {
    const backends = [
      candidate(0, { healthy: false }),
      candidate(1, { draining: true }),
      candidate(2, { weight: 0 }),
      candidate(3, { ejected: true }),
      candidate(4),
    ];
    expect(idleShares(backends, even)).toEqual([0, 0, 0, 0, 1]);
    expect(chooseBackend(backends, even, { nowMs: 0, exclude: backends[4]! })).toBeNull();
    expect(chooseBackend([], even, { nowMs: 0, exclude: null })).toBeNull();
  });

  it("takes only the newest epoch that can serve under strict", () => {
    const strict: SelectionPolicy = { preferNewest: "strict", slowStartMs: 0 };
    const backends = [
      candidate(0, { epoch: 1 }),
      candidate(1, { epoch: 2 }),
      candidate(2, { epoch: 3, healthy: false }),
    ];
    expect(idleShares(backends, strict)).toEqual([0, 1, 0]);
  });

  it("halves the share with each epoch of lag under weighted, and never quite ends it", () => {
    const weighted: SelectionPolicy = { preferNewest: "weighted", slowStartMs: 0 };
    const [oldest, older, newest] = idleShares(
      [1, 2, 3].map((epoch, id) => candidate(id, { epoch })),
      weighted,
    );
    expect(newest).toBeCloseTo(4 / 7, 2);
    expect(older).toBeCloseTo(2 / 7, 2);
    expect(oldest).toBeCloseTo(1 / 7, 2);
    expect(epochFactor("weighted", 50)).toBe(1 / 256);
    expect(epochFactor("off", 50)).toBe(1);
  });

  it("starts a new backend at a tenth and raises it to its whole share over the window", () => {
    expect([0, 500, 1000, 2000].map((ageMs) => slowStartFactor(ageMs, 1000))).toEqual([0.1, 0.55, 1, 1]);
    expect(slowStartFactor(0, 0)).toBe(1);
    const slow: SelectionPolicy = { preferNewest: "off", slowStartMs: 1000 };
    const shareAt = (nowMs: number): number =>
      idleShares([candidate(0, { activeSinceMs: -10_000 }), candidate(1)], slow, nowMs)[1]!;
    expect(shareAt(0)).toBeCloseTo(0.1 / 1.1, 2);
    expect(shareAt(500)).toBeCloseTo(0.55 / 1.55, 2);
    expect(shareAt(1000)).toBeCloseTo(0.5, 2);
  });
});
