import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, writeSync } from "node:fs";
import { cpus, platform, release, totalmem } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createSeededRandom } from "../domain/seeded-random.ts";

/** What a claim must reach to be met. */
export interface Target {
  op: "<=" | ">=";
  value: number;
}

/** A measured figure. Names are unique within a bench. */
export interface Claim {
  name: string;
  value: number;
  unit: string;
  target: Target;
}

/** What a bench is given. All randomness comes from `random`, so that a seed gives the same run again. */
export interface BenchContext {
  seed: number;
  /** A number in [0, 1), drawn from the seed. */
  random: () => number;
  /** Multiplies how much is measured; 1 is the published size. */
  scale: number;
  /** Mechanisms switched off: the negative controls of this run. */
  without: ReadonlySet<string>;
  /** Adds one raw event to the run's JSONL file; claims must follow from these alone. */
  event: (record: Record<string, unknown>) => void;
  /** A line of progress for people, on standard error. */
  note: (text: string) => void;
}

export type Row = Record<string, string | number>;

export interface Bench {
  name: string;
  /** One line for the list of benches. */
  describe: string;
  /** What `--without` may name. */
  controls?: readonly string[];
  run: (context: BenchContext) => Promise<{ claims: Claim[]; table: Row[] }>;
}

export interface BenchReport {
  bench: string;
  commit: string;
  machine: Record<string, string | number>;
  seed: number;
  scale: number;
  without: string[];
  claims: (Claim & { met: boolean })[];
  table: Row[];
}

export interface RunOptions {
  seed: number;
  scale: number;
  without: string[];
  resultsFolder: string;
}

/** Where raw events lie unless a run says otherwise. */
export const defaultResultsFolder = fileURLToPath(new URL("./results", import.meta.url));

/** The JSONL file of a run; a control run does not overwrite the real one. */
export function resultsPath(
  { resultsFolder, without }: Pick<RunOptions, "resultsFolder" | "without">,
  bench: string,
): string {
  const suffix = without.length === 0 ? "" : `.without-${[...without].sort().join("-")}`;
  return join(resultsFolder, `${bench}${suffix}.jsonl`);
}

export function isMet({ value, target }: Claim): boolean {
  return target.op === "<=" ? value <= target.value : value >= target.value;
}

function judged(claim: Claim): Claim & { met: boolean } {
  return { ...claim, met: isMet(claim) };
}

/** Nearest-rank quantile of a non-empty list, `probability` in (0, 1]. */
export function quantile(values: readonly number[], probability: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const value = sorted[Math.max(0, Math.ceil(probability * sorted.length) - 1)];
  if (value === undefined) throw new Error("a quantile of no values");
  return value;
}

function commitOf(): string {
  const git = (...words: string[]) =>
    execFileSync("git", words, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  try {
    const changed = git("status", "--porcelain", "--untracked-files=no").trim() !== "";
    return git("rev-parse", "--short=12", "HEAD").trim() + (changed ? "+changes" : "");
  } catch {
    return "unknown";
  }
}

function machineOf(): Record<string, string | number> {
  const processors = cpus();
  return {
    cpu: processors[0]?.model ?? "unknown",
    cores: processors.length,
    memory_gib: Math.round(totalmem() / 2 ** 30),
    system: `${platform()} ${release()}`,
    node: process.version,
  };
}

function checkControls(bench: Bench, without: string[]): void {
  const known = bench.controls ?? [];
  const unknown = without.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    throw new Error(
      `bench ${bench.name} cannot run without ${unknown.join(", ")}; it knows: ${known.join(", ") || "nothing"}`,
    );
  }
}

/**
 * Runs a bench and gives its report. The JSONL file begins with the run's conditions and ends with its claims; without
 * that last line the run was cut off.
 */
export async function runBench(bench: Bench, options: RunOptions): Promise<BenchReport> {
  const { seed, scale, without, resultsFolder } = options;
  checkControls(bench, without);
  mkdirSync(resultsFolder, { recursive: true });
  const file = openSync(resultsPath(options, bench.name), "w");
  const write = (record: object) => writeSync(file, `${JSON.stringify(record)}\n`);
  const conditions = { bench: bench.name, commit: commitOf(), machine: machineOf(), seed, scale, without };
  try {
    write({ kind: "bench-run", ...conditions });
    const { claims, table } = await bench.run({
      seed,
      scale,
      random: createSeededRandom(seed),
      without: new Set(without),
      event: write,
      note: (text) => process.stderr.write(`${text}\n`),
    });
    write({ kind: "bench-claims", claims });
    return { ...conditions, claims: claims.map(judged), table };
  } finally {
    closeSync(file);
  }
}
