import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Bench, type Claim, isMet, quantile, resultsPath, runBench } from "../../bench/harness.ts";
import { textTable } from "../../bench/text-table.ts";

const claim = (value: number, op: "<=" | ">=", target: number): Claim => ({
  name: "lost claims",
  value,
  unit: "claims",
  target: { op, value: target },
});

/** Loses one claim of ten drawn numbers when the fence is off. */
const fenced: Bench = {
  name: "fenced",
  describe: "counts lost claims",
  controls: ["fence"],
  run: async ({ random, event, without, scale }) => {
    const lost = without.has("fence") ? 1 : 0;
    for (let round = 0; round < 10 * scale; round += 1) event({ kind: "draw", value: random() });
    return { claims: [claim(lost, "<=", 0)], table: [{ lost }] };
  },
};

describe("runBench", () => {
  let resultsFolder: string;
  const options = (without: string[] = [], seed = 7) => ({ seed, scale: 1, without, resultsFolder });
  const lines = (without: string[] = []) =>
    readFileSync(resultsPath({ resultsFolder, without }, "fenced"), "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);

  beforeEach(() => {
    resultsFolder = mkdtempSync(join(tmpdir(), "forewarm-results-"));
  });
  afterEach(() => rmSync(resultsFolder, { recursive: true, force: true }));

  it("reports the conditions, the claims with their verdict, and the table", async () => {
    const report = await runBench(fenced, options());
    expect(report).toMatchObject({ bench: "fenced", seed: 7, scale: 1, without: [], table: [{ lost: 0 }] });
    expect(report.claims).toEqual([{ ...claim(0, "<=", 0), met: true }]);
    expect(report.commit).toMatch(/^([0-9a-f]{12}(\+changes)?|unknown)$/);
    expect(report.machine).toMatchObject({ node: process.version });
  });

  it("writes conditions, raw events and claims as JSON lines", async () => {
    await runBench(fenced, options());
    const written = lines();
    expect(written).toHaveLength(12);
    expect(written[0]).toMatchObject({ kind: "bench-run", bench: "fenced", seed: 7 });
    expect(written[1]).toMatchObject({ kind: "draw" });
    expect(written.at(-1)).toEqual({ kind: "bench-claims", claims: [claim(0, "<=", 0)] });
  });

  it("gives the same events for the same seed and others for another", async () => {
    const events = async (seed: number) => {
      await runBench(fenced, options([], seed));
      return lines().slice(1);
    };
    const first = await events(1);
    expect(await events(1)).toEqual(first);
    expect(await events(2)).not.toEqual(first);
  });

  it("turns a claim to not met under its negative control, in a file of its own", async () => {
    await runBench(fenced, options());
    const control = await runBench(fenced, options(["fence"]));
    expect(control.claims[0]).toMatchObject({ value: 1, met: false });
    expect(lines().at(-1)).toMatchObject({ claims: [{ value: 0 }] });
    expect(lines(["fence"]).at(-1)).toMatchObject({ claims: [{ value: 1 }] });
  });

  it("refuses a control that the bench does not know", async () => {
    await expect(runBench(fenced, options(["fenze"]))).rejects.toThrow(/fenze.*fence/);
  });

  it("leaves a file without claims when the bench fails", async () => {
    const failing: Bench = {
      ...fenced,
      run: async ({ event }) => {
        event({ kind: "draw" });
        throw new Error("out of hosts");
      },
    };
    await expect(runBench(failing, options())).rejects.toThrow("out of hosts");
    expect(lines().map((line) => line["kind"])).toEqual(["bench-run", "draw"]);
  });
});

it("judges both directions, the bound itself included", () => {
  expect([claim(5, "<=", 5), claim(6, "<=", 5), claim(5, ">=", 5), claim(4, ">=", 5)].map(isMet)).toEqual([
    true,
    false,
    true,
    false,
  ]);
  expect(isMet(claim(Number.NaN, "<=", 5))).toBe(false);
});

it("takes nearest-rank quantiles and refuses an empty list", () => {
  expect([0.01, 0.5, 0.51, 1].map((probability) => quantile([4, 1, 3, 2], probability))).toEqual([1, 2, 3, 4]);
  expect(() => quantile([], 0.5)).toThrow("no values");
});

it("aligns text to the left and numbers to the right", () => {
  const table = textTable([
    { store: "pglite", p50_ms: 1.23456 },
    { store: "postgres", p50_ms: 1234.5, note: "x" },
  ]);
  expect(table.split("\n")).toEqual(["store     p50_ms  note", "pglite      1.23", "postgres    1235  x"]);
});
