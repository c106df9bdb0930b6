// node --import tsx bench/recompute.ts NAME [--results FILE]
// Derives a bench's claims again from its raw events, in bench/recompute/NAME.ts, which shares no code with the bench.
// Exit status: 0 all claims agree, 1 one differs, is missing, or the run was cut off.
import { join } from "node:path";
import { parseArgs } from "node:util";
import { defaultResultsFolder } from "./harness.ts";
import { recomputeRun } from "./recompute-run.ts";

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { results: { type: "string" } } });
  const [name] = positionals;
  if (name === undefined) throw new Error("usage: recompute NAME [--results FILE]");
  const rows = await recomputeRun(name, values.results ?? join(defaultResultsFolder, `${name}.jsonl`));
  for (const row of rows) {
    console.log(
      `${row.same ? "same   " : "DIFFERS"} ${row.claim}: claimed ${row.claimed}, recomputed ${row.recomputed}`,
    );
  }
  return rows.length > 0 && rows.every((row) => row.same) ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
