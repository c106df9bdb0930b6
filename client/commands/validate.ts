import type { Command } from "commander";
import type { TemplateResult } from "../../schema/load-template.ts";
import type { TemplateProblem } from "../../schema/template-problem.ts";
import { contextOf, type CliContext } from "../context.ts";
import { exitCodes } from "../exit-codes.ts";

/** Adds `validate`: checks templates without touching anything. */
export function registerValidate(program: Command): void {
  program
    .command("validate")
    .description("check fleet templates and name every problem with its line and column")
    .argument("<files...>", "templates to check")
    .action(async (files: string[], _options: unknown, command: Command) => validate(files, contextOf(command)));
}

async function validate(files: string[], context: CliContext): Promise<void> {
  const { checkTemplateFile } = await import("../read-template.ts");
  const { formatProblem } = await import("../../schema/template-problem.ts");
  const checked = await Promise.all(files.map(async (file) => ({ file, result: await checkTemplateFile(file) })));
  context.print.result(checked.map(asRecord), () =>
    checked.map((one) => asText(one, context, formatProblem)).join("\n"),
  );
  if (checked.some(({ result }) => !result.ok)) process.exitCode = exitCodes.error;
}

interface Checked {
  file: string;
  result: TemplateResult;
}

function asRecord({ file, result }: Checked): unknown {
  if (!result.ok) return { file, ok: false, problems: result.problems };
  return { file, ok: true, fleet: result.template.fleet, warnings: result.warnings };
}

function asText(
  { file, result }: Checked,
  { style }: CliContext,
  format: (problem: TemplateProblem) => string,
): string {
  if (!result.ok) {
    const { length } = result.problems;
    const count = style.bad(`${file}: ${length} problem${length === 1 ? "" : "s"}`);
    return [...result.problems.map(format), count].join("\n");
  }
  const { fleet, capacity, standby } = result.template;
  const warnings = result.warnings.map((problem) => `${style.warn("warning:")} ${format(problem)}`);
  const size = `standby ${standby.min} to ${standby.max}, at most ${capacity.max_hosts} hosts`;
  return [...warnings, `${style.good(`${file}: ok`)}, fleet ${fleet}, ${size}`].join("\n");
}
