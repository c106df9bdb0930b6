import { expect, test } from "vitest";
import { hitRateOf, readyBeforeNeeded, reportOf } from "../../simulation/report.ts";

const day = { steps: 288, waitsMs: [], starts: [], idleHostMs: 0, shortageHostMs: 0, staleHandOuts: 0 };

test("waits are over misses only", () => {
  const report = reportOf({ ...day, waitsMs: [0, 0, 1000, 3000] });
  expect(report).toMatchObject({ claims: 4, warm_hits: 2, wait_ms: { p50: 2000, max: 3000 } });
  expect(hitRateOf(report)).toBe(0.5);
  expect(reportOf(day).wait_ms).toEqual({ p50: 0, p99: 0, max: 0 });
  expect(hitRateOf(reportOf(day))).toBe(1);
});

test("ready before needed: verified before its claim; late, unused and unfinished starts count against it", () => {
  const inTime = { decidedAtMs: 0, verifiedAtMs: 10, claimedAtMs: 20 };
  const late = { decidedAtMs: 0, verifiedAtMs: 30, claimedAtMs: 20 };
  const unused = { decidedAtMs: 0, verifiedAtMs: 10, claimedAtMs: null };
  const unfinished = { decidedAtMs: 0, verifiedAtMs: null, claimedAtMs: null };
  expect(readyBeforeNeeded([inTime, late, unused, unfinished])).toBe(0.25);
  expect(readyBeforeNeeded([])).toBeNull();
});

test("times are minutes and seconds; what was not sent is null", () => {
  const starts = [{ decidedAtMs: 1000, verifiedAtMs: 61_000, claimedAtMs: null }];
  expect(reportOf({ ...day, starts, idleHostMs: 120_000, shortageHostMs: 30_000, staleHandOuts: 1 })).toMatchObject({
    host_starts: 1,
    lead_seconds_median: 60,
    idle_host_minutes: 2,
    shortage_host_minutes: 0.5,
    promoted_with_stale_configuration: 1,
    requests: null,
    latency_ms: null,
  });
});
