import { constants, createReadStream } from "node:fs";
import { access } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { buffer } from "node:stream/consumers";
import { ForewarmError } from "../domain/errors.ts";
import type { FleetTemplate } from "../schema/fleet-template.ts";
import { parseTemplate, type TemplateResult } from "../schema/load-template.ts";
import { templateBytesMax } from "../schema/template-document.ts";
import { formatProblem, type TemplateProblem } from "../schema/template-problem.ts";

export interface LoadedTemplate {
  template: FleetTemplate;
  warnings: TemplateProblem[];
  /** Absolute; paths in the template start here. */
  folder: string;
}

/** Reads and checks a template; throws TEMPLATE_UNREADABLE, or TEMPLATE_INVALID with every problem in its message. */
export async function readTemplate(file: string): Promise<LoadedTemplate> {
  const result = await checkTemplateFile(file);
  if (!result.ok) {
    const { length } = result.problems;
    const found = `${file} has ${length} problem${length === 1 ? "" : "s"}`;
    throw new ForewarmError("TEMPLATE_INVALID", `${found}\n${result.problems.map(formatProblem).join("\n")}`);
  }
  return { template: result.template, warnings: result.warnings, folder: dirname(resolve(file)) };
}

/** Checks a template and the files it names; throws TEMPLATE_UNREADABLE only. */
export async function checkTemplateFile(file: string): Promise<TemplateResult> {
  const result = parseTemplate({ file, text: await readBounded(file) });
  if (!result.ok) return result;
  const folder = dirname(resolve(file));
  const problems = await missingSources(result, folder);
  if (problems.length > 0) return { ok: false, problems };
  return { ...result, warnings: [...result.warnings, ...(await missingImage(result, folder))] };
}

/** Takes one byte more than a template may have, so that the size is found wrong without reading a device for ever. */
async function readBounded(file: string): Promise<Uint8Array> {
  try {
    return await buffer(createReadStream(file, { end: templateBytesMax }));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ForewarmError("TEMPLATE_UNREADABLE", `cannot read ${file}: ${reason}`, { cause: error });
  }
}

type Accepted = Extract<TemplateResult, { ok: true }>;

async function missingSources({ template, problemAt }: Accepted, folder: string): Promise<TemplateProblem[]> {
  const found = template.golden.files.map(async ({ source }, index) => {
    if (source === undefined || (await isReadable(resolve(folder, source)))) return [];
    return [problemAt(["golden", "files", index, "source"], `must be a readable file; got ${source}`)];
  });
  return (await Promise.all(found)).flat();
}

/** The folder need only exist where the provider runs, so its absence here is a warning. */
async function missingImage({ template, problemAt }: Accepted, folder: string): Promise<TemplateProblem[]> {
  const { source } = template.image;
  if (template.provider.kind !== "local" || (await isReadable(resolve(folder, source)))) return [];
  return [problemAt(["image", "source"], `there is no readable folder ${source} beside this template`)];
}

async function isReadable(path: string): Promise<boolean> {
  return access(path, constants.R_OK).then(
    () => true,
    () => false,
  );
}
