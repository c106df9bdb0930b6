import { describe, expect, test } from "vitest";
import { findDeadHosts, type ObservedBackend } from "../../domain/host/dead-hosts.ts";

function backend(hostId: string, change: Partial<ObservedBackend> = {}): ObservedBackend {
  return { hostId, healthy: true, draining: false, lastPassAtMs: 1000, ...change };
}

const dead = { healthy: false } as const;

describe("hosts the balancer finds dead", () => {
  test("are given up while others answer", () => {
    expect(findDeadHosts([backend("a"), backend("b", dead), backend("c", dead)])).toEqual(["b", "c"]);
  });

  test("are nothing when all answer, or when there are none", () => {
    expect([findDeadHosts([backend("a")]), findDeadHosts([])]).toEqual([[], []]);
  });

  test("are left alone while they drain: they leave anyway", () => {
    expect(findDeadHosts([backend("a"), backend("b", { ...dead, draining: true })])).toEqual([]);
  });

  test("are replaced one at a time when all are dead, the longest silent first", () => {
    const backends = [backend("a", dead), backend("b", { ...dead, lastPassAtMs: 10 })];
    expect(findDeadHosts(backends)).toEqual(["b"]);
  });

  test("a fleet's only host that hangs is replaced", () => {
    expect(findDeadHosts([backend("a", dead)])).toEqual(["a"]);
  });

  test("are replaced no further while the replacement has not passed a check", () => {
    const old = backend("a", dead);
    const replacement = (change: Partial<ObservedBackend>) => backend("b", { lastPassAtMs: null, ...change });
    expect(findDeadHosts([old, replacement({})])).toEqual([]);
    expect(findDeadHosts([old, replacement(dead)])).toEqual([]);
    expect(findDeadHosts([old, replacement({ lastPassAtMs: 2000 })])).toEqual(["a"]);
  });
});
