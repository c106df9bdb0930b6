import { expect, test } from "vitest";
import { nextBackoffMs } from "../../embedded/backoff.ts";

test("waits double from 0.2 s to 5 s", () => {
  const waits: number[] = [];
  for (let restart = 0; restart < 7; restart += 1) waits.push(nextBackoffMs(waits.at(-1) ?? null, 100));
  expect(waits).toEqual([200, 400, 800, 1600, 3200, 5000, 5000]);
});

test("a process that ran for 30 s is started again at once, and the waits begin anew", () => {
  expect(nextBackoffMs(5000, 29_999)).toBe(5000);
  expect(nextBackoffMs(5000, 30_000)).toBe(0);
  expect(nextBackoffMs(0, 100)).toBe(200);
});
