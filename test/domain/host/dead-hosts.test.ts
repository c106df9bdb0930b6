import { describe, expect, test } from "vitest";
import { findDeadHosts, type ObservedBackend } from "../../../domain/host/dead-hosts.ts";

function backend(hostId: string, change: Partial<ObservedBackend> = {}): ObservedBackend {
  return { hostId, healthy: true, draining: false, activeSinceMs: 0, lastPassAtMs: 1000, ...change };
}

const dead = { healthy: false } as const;
const nowMs = 100_000;
const find = (backends: ObservedBackend[]): string[] => findDeadHosts(backends, nowMs);

describe("hosts the balancer finds dead", () => {
  test("are given up while others answer", () => {
    expect(find([backend("a"), backend("b", dead), backend("c", dead)])).toEqual(["b", "c"]);
  });

  test("are nothing when all answer, or when there are none", () => {
    expect([find([backend("a")]), find([])]).toEqual([[], []]);
  });

  test("are left alone while they drain: they leave anyway", () => {
    expect(find([backend("a"), backend("b", { ...dead, draining: true })])).toEqual([]);
  });

  test("are replaced one at a time when all are dead, the longest silent first", () => {
    const backends = [backend("a", dead), backend("b", { ...dead, lastPassAtMs: 10 })];
    expect(find(backends)).toEqual(["b"]);
  });

  test("a fleet's only host that hangs is replaced", () => {
    expect(find([backend("a", dead)])).toEqual(["a"]);
  });

  test("are replaced no further until the replacement passed a check, or had its time to", () => {
    const old = backend("a", dead);
    const replacement = (change: Partial<ObservedBackend>) => {
      return backend("b", { activeSinceMs: nowMs - 5000, lastPassAtMs: null, ...change });
    };
    expect(find([old, replacement({})])).toEqual([]);
    expect(find([old, replacement(dead)])).toEqual([]);
    expect(find([old, replacement({ lastPassAtMs: nowMs - 1000 })])).toEqual(["a"]);
    expect(find([old, replacement({ ...dead, activeSinceMs: nowMs - 60_000 })])).toEqual(["a"]);
  });

  test("that were dead on arrival are replaced too", () => {
    expect(find([backend("a", { ...dead, lastPassAtMs: null, activeSinceMs: nowMs - 60_000 })])).toEqual(["a"]);
  });
});
