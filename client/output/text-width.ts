import { stripVTControlCharacters } from "node:util";

/** Columns a text takes on a terminal: its characters without colour codes. */
export function visibleWidth(text: string): number {
  return Array.from(stripVTControlCharacters(text)).length;
}

/** Cuts a text to at most `width` columns and marks the cut with `…`; a cut text loses its colours. */
export function fitWidth(text: string, width: number): string {
  if (visibleWidth(text) <= width) return text;
  const kept = Array.from(stripVTControlCharacters(text))
    .slice(0, Math.max(0, width - 1))
    .join("");
  return width < 1 ? "" : `${kept}…`;
}

/** Fills a text with spaces up to `width` columns. */
export function padTo(text: string, width: number, align: "left" | "right"): string {
  const space = " ".repeat(Math.max(0, width - visibleWidth(text)));
  return align === "left" ? text + space : space + text;
}
