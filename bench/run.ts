// npm run bench -- NAME [--output text|json] [--seed N] [--scale X] [--without MECHANISM]... [--results FOLDER]
// Exit status: 0 all claims met, 1 the bench failed, 2 a claim is not met (what a negative control is for).
import { existsSync, readdirSync } from "node:fs";
import { parseArgs } from "node:util";
import { type Bench, type BenchReport, defaultResultsFolder, runBench } from "./harness.ts";
import { textTable } from "./text-table.ts";

const notBenches = new Set(["harness", "run", "recompute", "recompute-run", "text-table"]);

function benchNames(): string[] {
  return readdirSync(new URL(".", import.meta.url))
    .filter((file) => file.endsWith(".ts"))
    .map((file) => file.slice(0, -".ts".length))
    .filter((name) => !notBenches.has(name))
    .sort();
}

async function loadBench(name: string): Promise<Bench> {
  const url = new URL(`./${name}.ts`, import.meta.url);
  if (!/^[a-z][a-z0-9-]*$/.test(name) || notBenches.has(name) || !existsSync(url)) {
    throw new Error(`there is no bench ${name}; there are: ${benchNames().join(", ")}`);
  }
  const { bench } = (await import(url.href)) as { bench?: Bench };
  if (bench?.name !== name) throw new Error(`bench/${name}.ts does not export a bench named ${name}`);
  return bench;
}

function asText(report: BenchReport): string {
  const claims = report.claims.map((claim) => ({
    claim: claim.name,
    value: claim.value,
    unit: claim.unit,
    target: `${claim.target.op} ${claim.target.value}`,
    met: claim.met ? "yes" : "NO",
  }));
  const machine = Object.values(report.machine).join(", ");
  const without = report.without.length === 0 ? "" : `, without ${report.without.join(", ")}`;
  const head = `${report.bench} at ${report.commit}, seed ${report.seed}, scale ${report.scale}${without}\n${machine}`;
  return [head, textTable(claims), textTable(report.table)].join("\n\n");
}

function positive(text: string, option: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`${option} takes a number above 0, not ${text}`);
  return value;
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      output: { type: "string", default: "text" },
      seed: { type: "string", default: "1" },
      scale: { type: "string", default: "1" },
      without: { type: "string", multiple: true, default: [] },
      results: { type: "string", default: defaultResultsFolder },
    },
  });
  const [name] = positionals;
  if (name === undefined) {
    const benches = await Promise.all(benchNames().map(loadBench));
    console.log(textTable(benches.map((bench) => ({ bench: bench.name, measures: bench.describe }))));
    return 0;
  }
  if (!["text", "json"].includes(values.output)) throw new Error(`--output takes text or json, not ${values.output}`);
  const report = await runBench(await loadBench(name), {
    seed: positive(values.seed, "--seed"),
    scale: positive(values.scale, "--scale"),
    without: values.without,
    resultsFolder: values.results,
  });
  console.log(values.output === "json" ? JSON.stringify(report, null, 2) : asText(report));
  return report.claims.every((claim) => claim.met) ? 0 : 2;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
