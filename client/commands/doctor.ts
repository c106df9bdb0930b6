import type { Command } from "commander";
import { contextOf, type CliContext } from "../context.ts";
import type { CheckResult } from "../doctor-checks.ts";
import { exitCodes } from "../exit-codes.ts";
import type { renderTable as RenderTable } from "../output/table.ts";

/** Adds `doctor`: names what is missing on this machine, and the cure. */
export function registerDoctor(program: Command): void {
  program
    .command("doctor")
    .description("check what Forewarm needs on this machine and name a cure for what is missing")
    .action(async (_options: unknown, command: Command) => doctor(contextOf(command)));
}

async function doctor(context: CliContext): Promise<void> {
  const [{ runDoctorChecks }, { renderTable }] = await Promise.all([
    import("../doctor-checks.ts"),
    import("../output/table.ts"),
  ]);
  const results = await runDoctorChecks(context.config);
  context.print.result(results, () => asText(results, { ...context, renderTable }));
  if (results.some(({ status }) => status === "missing")) process.exitCode = exitCodes.error;
}

function asText(
  results: readonly CheckResult[],
  { style, tableColumns, renderTable }: CliContext & { renderTable: typeof RenderTable },
): string {
  const words = { ok: style.good("ok"), absent: style.warn("absent"), missing: style.bad("missing") };
  const table = renderTable({
    columns: [{ title: "check" }, { title: "" }, { title: "found", minWidth: 20 }],
    rows: results.map(({ name, status, detail }) => [name, words[status], detail]),
    width: tableColumns,
    paintTitle: style.dim,
  });
  const cures = results.flatMap(({ name, cure }) => (cure === null ? [] : [`${name}: ${cure}`]));
  return [table, ...(cures.length === 0 ? [] : ["", ...cures])].join("\n");
}
