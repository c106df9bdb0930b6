import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { FleetTemplate } from "../schema/fleet-template.ts";
import type { TemplateProblem } from "../schema/template-problem.ts";
import { readTemplate } from "./read-template.ts";

/** A template with the content it names, ready to be applied; paths in it are absolute. */
export interface TemplateFile {
  template: FleetTemplate;
  /** Golden files with their bytes, in the order of the template. */
  files: { path: string; mode: string; hook: "reload" | "restart" | null; content: Buffer }[];
  warnings: TemplateProblem[];
}

/** Reads and checks a template and all it names. Throws TEMPLATE_INVALID or TEMPLATE_UNREADABLE. */
export async function readTemplateFile(file: string): Promise<TemplateFile> {
  const { template, folder, warnings } = await readTemplate(file);
  const files = template.golden.files.map(async ({ path, mode, hook, content, source }) => ({
    path,
    mode,
    hook,
    content: source === undefined ? Buffer.from(content ?? "") : await readFile(resolve(folder, source)),
  }));
  const image = { source: resolve(folder, template.image.source) };
  // Contents travel in the signed bundle alone: the template is in every message of the fleet, for all to read.
  const named = template.golden.files.map(({ content: _content, ...rest }) => rest);
  const golden = { ...template.golden, files: named };
  return { template: { ...template, image, golden }, files: await Promise.all(files), warnings };
}
