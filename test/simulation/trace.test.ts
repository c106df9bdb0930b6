import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { createSeededRandom } from "../../domain/seeded-random.ts";
import {
  countDays,
  cutDay,
  drawDays,
  readTrace,
  resampleTrace,
  scaleTrace,
  type DemandTrace,
} from "../../simulation/trace.ts";

const folder = new URL("../../examples/traces/", import.meta.url);

function csv(rows: string[]): string {
  return ["timestamp,value", ...rows].join("\n");
}

function minutes(values: (number | null)[], startMs = 0): DemandTrace {
  return { startMs, stepSeconds: 60, values };
}

test("reads a regular grid; missing rows and empty values are gaps", () => {
  const text = csv(["2020-01-01T00:00:00Z,1", "2020-01-01T00:05:00Z,", "2020-01-01T00:15:00Z,4"]);
  expect(readTrace(text)).toEqual({
    startMs: Date.parse("2020-01-01T00:00:00Z"),
    stepSeconds: 300,
    values: [1, null, null, 4],
  });
});

test.each([
  ["no rows", csv([]), "at least two rows"],
  ["a bad time", csv(["2020-01-01T00:00:00Z,1", "yesterday,2"]), 'line 3: "yesterday" is not a time'],
  ["a bad value", csv(["2020-01-01T00:00:00Z,1", "2020-01-01T00:05:00Z,-3"]), 'line 3: "-3" is not a number'],
  ["falling times", csv(["2020-01-01T00:05:00Z,1", "2020-01-01T00:00:00Z,2"]), "line 3: times must rise"],
  [
    "a time off the grid",
    csv(["2020-01-01T00:00:00Z,1", "2020-01-01T00:05:00Z,2", "2020-01-01T00:12:00Z,2"]),
    "line 4: the time is off the grid",
  ],
  ["a hole of years", csv(["2000-01-01T00:00:00Z,1", "2000-01-01T00:00:01Z,2", "2020-01-01T00:00:00Z,2"]), "span"],
])("refuses %s, naming the line", (_, text, message) => {
  expect(() => readTrace(text)).toThrow(message);
});

test("every trace that ships can be read", () => {
  const files = readdirSync(folder).filter((name) => name.endsWith(".csv") && !name.includes("events"));
  expect(files.length).toBeGreaterThanOrEqual(9);
  for (const name of files) {
    const trace = readTrace(readFileSync(new URL(name, folder), "utf8"));
    expect(trace.values.filter((value) => value === null)).toEqual([]);
    expect(countDays(trace)).toBeGreaterThanOrEqual(13);
  }
});

test("finer rows are averaged, coarser ones joined by straight lines", () => {
  expect(resampleTrace(minutes([1, 3, null, 5]), 120).values).toEqual([2, 5]);
  expect(resampleTrace(minutes([0, 4, 8]), 30).values).toEqual([0, 2, 4, 6, 8, 8]);
  expect(resampleTrace(minutes([0, null]), 30).values).toEqual([null, null, null, null]);
});

test("scaling looks at the first half only and keeps its proportions unless a trough is given", () => {
  const day = [...Array.from({ length: 719 }, () => 10), 50];
  const trace = minutes([...day, ...day, ...day.map((value) => value * 9), ...day.map((value) => value * 9)]);
  expect(scaleTrace(trace, { peak: 200, trough: null }).values.slice(718, 720)).toEqual([40, 200]);
  expect(scaleTrace(trace, { peak: 200, trough: 20 }).values.slice(718, 720)).toEqual([20, 200]);
  expect(() => scaleTrace(minutes([0, 0, 0, 0]), { peak: 1, trough: null })).toThrow("no demand");
});

test("days begin at midnight; a day comes with everything before it", () => {
  const trace = minutes(
    Array.from({ length: 1440 * 3 }, (_, index) => index),
    3_600_000,
  );
  expect(countDays(trace)).toBe(2);
  const day = cutDay(trace, 1);
  expect(day.startMs).toBe(2 * 86_400_000);
  expect(day.history).toHaveLength(1440 + 23 * 60);
  expect(day.steps[0]).toBe(1440 + 23 * 60);
  expect(() => cutDay(trace, 2)).toThrow("it has days 0 to 1; day 2 was asked for");
});

test("days are drawn from the second half, without repeats, the same for the same seed", () => {
  const trace = minutes(Array.from({ length: 1440 * 20 }, () => 1));
  const days = drawDays(trace, 5, createSeededRandom(4));
  expect(new Set(days).size).toBe(5);
  expect(Math.min(...days)).toBeGreaterThanOrEqual(10);
  expect(drawDays(trace, 5, createSeededRandom(4))).toEqual(days);
  expect(drawDays(trace, 99, createSeededRandom(4))).toHaveLength(10);
});
