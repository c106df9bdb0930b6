import { ForewarmError, invariant } from "../domain/errors.ts";
import { fleetTemplateSchema } from "../schema/fleet-template.ts";

/** Makes a template of one's own from the annotated example; throws USAGE when `fleet` is no valid name. */
export function startingTemplate(example: string, own: { fleet: string; schema: string; image: string }): string {
  const name = fleetTemplateSchema.shape.fleet.safeParse(own.fleet);
  if (!name.success) {
    throw new ForewarmError("USAGE", `--fleet must be ${name.error.issues[0]?.message}; got "${own.fleet}"`);
  }
  const replaced = [
    { line: /^# yaml-language-server: .*$/m, by: `# yaml-language-server: $schema=${own.schema}` },
    { line: /^fleet: \S+/m, by: `fleet: ${own.fleet}` },
    { line: /^ {2}source: \.\.\/images\S*/m, by: `  source: ${JSON.stringify(own.image)}` },
  ];
  return replaced.reduce((text, { line, by }) => {
    invariant(line.test(text), `the example template lacks a line ${line.source}`);
    return text.replace(line, () => by);
  }, example);
}
