import { fleetJsonSchema } from "./fleet-json-schema.ts";
import { fleetTemplateSchema } from "./fleet-template.ts";
import type { FleetTemplate } from "./fleet-template.ts";
import { parseTemplateDocument, problemsMax } from "./template-document.ts";
import type { TemplateDocument } from "./template-document.ts";
import { problemsOfIssue, withoutRepeats } from "./template-issues.ts";
import type { TemplateProblem } from "./template-problem.ts";
import { checkTemplateRules } from "./template-rules.ts";

export type TemplateResult =
  | {
      ok: true;
      template: FleetTemplate;
      warnings: TemplateProblem[];
      /** Locates a problem found later, such as a file that does not exist. */
      problemAt: TemplateDocument["problemAt"];
    }
  | { ok: false; problems: TemplateProblem[] };

/**
 * Parses and checks a fleet template; `file` is only printed. Never throws on any content:
 * at most 50 problems come back, in the order of the file, each with its line and column.
 */
export function parseTemplate(input: { file: string; text: string | Uint8Array }): TemplateResult {
  const parsed = parseTemplateDocument(input);
  if (!parsed.ok) return parsed;
  const { document } = parsed;
  const checked = fleetTemplateSchema.safeParse(document.value);
  if (!checked.success) {
    const context = { document, schema: fleetJsonSchema() };
    const found = checked.error.issues.slice(0, problemsMax).flatMap((issue) => problemsOfIssue(context, issue));
    return { ok: false, problems: withoutRepeats(found).slice(0, problemsMax) };
  }
  return ruled(document, checked.data);
}

function ruled(document: TemplateDocument, template: FleetTemplate): TemplateResult {
  const findings = checkTemplateRules(template).slice(0, problemsMax);
  const located = (severity: "problem" | "warning"): TemplateProblem[] =>
    withoutRepeats(
      findings
        .filter((finding) => finding.severity === severity)
        .map((finding) => document.problemAt(finding.path, finding.message)),
    );
  const problems = located("problem");
  if (problems.length > 0) return { ok: false, problems };
  return { ok: true, template, warnings: located("warning"), problemAt: document.problemAt };
}
