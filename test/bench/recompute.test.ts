import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { recomputeRun } from "../../bench/recompute-run.ts";
import { recompute } from "../../bench/recompute/store.ts";

const benchFolder = fileURLToPath(new URL("../../bench/", import.meta.url));
const entryTimeoutMs = 60_000;

function runEntry(entry: string, ...words: string[]) {
  const run = spawnSync(process.execPath, ["--import", "tsx", join(benchFolder, entry), ...words], {
    encoding: "utf8",
  });
  return { status: run.status, output: run.stdout + run.stderr };
}

const call = (what: string, durationMs: number) => ({ kind: "call", store: "pglite", what, durationMs });
const claim = (name: string, value: number) => ({ name, value, unit: "ms", target: { op: "<=", value: 1 } });

describe("recompute", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "forewarm-recompute-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const resultsFile = (lines: object[]) => {
    const file = join(folder, "store.jsonl");
    writeFileSync(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
    return file;
  };
  const compared = (lines: object[]) => recomputeRun("store", resultsFile(lines));
  const events = [{ kind: "bench-run" }, call("read", 3), call("read", 9), call("read", 5)];
  const name = "pglite read of 4000 samples p50";

  it("agrees with claims that follow from the events", async () => {
    expect(await compared([...events, { kind: "bench-claims", claims: [claim(name, 5)] }])).toEqual([
      { claim: name, claimed: 5, recomputed: 5, same: true },
    ]);
  });

  it("finds a claim that does not follow, one too many, and one left out", async () => {
    const claims = [claim(name, 4.9), claim("made up", 1)];
    expect(await compared([...events, { kind: "bench-claims", claims }])).toEqual([
      { claim: name, claimed: 4.9, recomputed: 5, same: false },
      { claim: "made up", claimed: 1, recomputed: undefined, same: false },
    ]);
    expect(await compared([...events, { kind: "bench-claims", claims: [] }])).toMatchObject([{ same: false }]);
  });

  it("refuses a run that was cut off, a missing one, and a bench it does not know", async () => {
    await expect(compared(events)).rejects.toThrow("cut off");
    await expect(recomputeRun("store", join(folder, "none.jsonl"))).rejects.toThrow("run the bench first");
    await expect(recomputeRun("../store", resultsFile(events))).rejects.toThrow(
      "there is no bench/recompute/../store.ts",
    );
  });

  it(
    "ends with 1 when a claim differs",
    () => {
      const run = runEntry(
        "recompute.ts",
        "store",
        "--results",
        resultsFile([...events, { kind: "bench-claims", claims: [] }]),
      );
      expect(run).toMatchObject({ status: 1, output: expect.stringContaining(`DIFFERS ${name}`) });
    },
    entryTimeoutMs,
  );

  it("derives the store's claims", () => {
    const upserts = [call("upsert", 2), call("upsert", 8)];
    expect(recompute([...upserts, call("open", 4000), call("reopen", 700)])).toEqual({
      "pglite upserts": 200,
      "pglite first open": 4000,
      "pglite reopen p50": 700,
    });
  });

  it("shares no code with the benches", () => {
    for (const file of readdirSync(join(benchFolder, "recompute"))) {
      expect(readFileSync(join(benchFolder, "recompute", file), "utf8")).not.toMatch(/^import /m);
    }
  });

  it("can derive every bench again", () => {
    const isBench = (file: string) =>
      file.endsWith(".ts") && /^export const bench\b/m.test(readFileSync(join(benchFolder, file), "utf8"));
    const benches = readdirSync(benchFolder).filter(isBench);
    expect(benches).toContain("store.ts");
    expect(readdirSync(join(benchFolder, "recompute"))).toEqual(expect.arrayContaining(benches));
  });
});

describe("npm run bench", () => {
  it(
    "lists the benches when none is named",
    () => expect(runEntry("run.ts")).toMatchObject({ status: 0, output: expect.stringMatching(/^store +opening/m) }),
    entryTimeoutMs,
  );

  it.each([
    [["no-such-bench"], "there is no bench no-such-bench"],
    [["harness"], "there is no bench harness"],
    [["store", "--scale", "0"], "--scale takes a number above 0"],
  ])(
    "refuses %j",
    (words, message) => {
      expect(runEntry("run.ts", ...words)).toMatchObject({ status: 1, output: expect.stringContaining(message) });
    },
    entryTimeoutMs,
  );
});
