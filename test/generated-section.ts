import { readFileSync, writeFileSync } from "node:fs";

/**
 * The part of a Markdown page between `<!-- generated:NAME -->` and `<!-- /generated:NAME -->`. With UPDATE_DOCS set,
 * `wanted` is written there first: `UPDATE_DOCS=1 npx vitest run --project unit doc`.
 */
export function generatedSection(page: string, name: string, wanted: string): string {
  const file = new URL(`../docs/${page}`, import.meta.url);
  const text = readFileSync(file, "utf8");
  const [start, end] = [`<!-- generated:${name} -->\n`, `\n<!-- /generated:${name} -->`];
  const from = text.indexOf(start) + start.length;
  const to = text.indexOf(end, from);
  if (from < start.length || to < 0) throw new Error(`docs/${page} has no section ${name}`);
  if (process.env["UPDATE_DOCS"] === undefined) return text.slice(from, to);
  writeFileSync(file, text.slice(0, from) + wanted + text.slice(to));
  return wanted;
}

/** A Markdown table; pipes in cells are escaped. */
export function markdownTable(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll("|", String.raw`\|`)).join(" | ")} |`;
  return [line(titles), line(titles.map(() => "---")), ...rows.map(line)].join("\n");
}
