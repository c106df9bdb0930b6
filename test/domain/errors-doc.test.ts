import { expect, test } from "vitest";
import { errorCatalogue } from "../../domain/errors.ts";
import { generatedSection, markdownTable } from "../generated-section.ts";

test("docs/operate.md lists every error with its cure", () => {
  const rows = Object.entries(errorCatalogue).map(([code, { retryable, cure }]) => [
    `\`${code}\``,
    retryable ? "yes" : "no",
    cure,
  ]);
  const wanted = markdownTable(["code", "tried again", "what to do"], rows);
  expect(generatedSection("operate.md", "errors", wanted)).toBe(wanted);
});
