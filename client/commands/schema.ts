import type { Command } from "commander";

/** Adds `schema`: prints the JSON Schema of fleet templates, whatever `--output` says. */
export function registerSchema(program: Command): void {
  program
    .command("schema")
    .description("print the JSON Schema of fleet templates, for editors")
    .action(async (_options: unknown, command: Command) => {
      const { fleetJsonSchema } = await import("../../schema/fleet-json-schema.ts");
      command.configureOutput().writeOut?.(`${JSON.stringify(fleetJsonSchema(), null, 2)}\n`);
    });
}
