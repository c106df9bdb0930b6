import { readFile, writeFile } from "node:fs/promises";
import { dirname, relative, resolve } from "node:path";
import type { Command } from "commander";
import { ForewarmError } from "../../domain/errors.ts";
import { contextOf, type CliContext } from "../context.ts";

interface InitOptions {
  fleet: string;
  force: boolean;
}

/** Adds `init`: writes an annotated template to start from. */
export function registerInit(program: Command): void {
  program
    .command("init")
    .description("write an annotated fleet template to start from")
    .argument("[file]", "where to write it", "fleet.yaml")
    .option("--fleet <name>", "name of the fleet", "web")
    .option("-f, --force", "replace the file if it exists", false)
    .action(async (file: string, options: InitOptions, command: Command) => init(file, options, contextOf(command)));
}

async function init(file: string, { fleet, force }: InitOptions, { print }: CliContext): Promise<void> {
  const { schemaFile, startingImageFolder, startingTemplateFile } = await import("../package-files.ts");
  const { startingTemplate } = await import("../starting-template.ts");
  const folder = dirname(resolve(file));
  const text = startingTemplate(await readFile(startingTemplateFile(), "utf8"), {
    fleet,
    schema: relative(folder, schemaFile()),
    image: relative(folder, startingImageFolder()),
  });
  await write(file, text, force);
  print.result({ file, fleet }, () => `wrote ${file}; next: forewarm validate ${file}`);
}

async function write(file: string, text: string, force: boolean): Promise<void> {
  try {
    await writeFile(file, text, { flag: force ? "w" : "wx" });
  } catch (error) {
    const exists = error instanceof Error && "code" in error && error.code === "EEXIST";
    const reason = exists ? "it exists; --force replaces it" : String(error);
    throw new ForewarmError("USAGE", `cannot write ${file}: ${reason}`, { cause: error });
  }
}
