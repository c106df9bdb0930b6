import { readFileSync } from "node:fs";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseTemplate } from "../../schema/load-template.ts";
import { formatProblem } from "../../schema/template-problem.ts";

const web = readFileSync(new URL("../../examples/fleets/web.yaml", import.meta.url), "utf8");

describe("any content", { timeout: 30_000 }, () => {
  const lines = web.split("\n");
  const mutation = fc.record({
    line: fc.nat(lines.length - 1),
    column: fc.nat(60),
    remove: fc.nat(12),
    insert: fc.oneof(
      fc.string({ unit: "binary", maxLength: 6 }),
      fc.constantFrom(
        "\t",
        "\n",
        "- ",
        "&a ",
        "*a",
        "{",
        "[",
        ":",
        "null",
        "~",
        "'",
        '"',
        "? ",
        "<<: ",
        "!!set ",
        "1e999",
        "# ",
      ),
    ),
  });

  function mutate(changes: { line: number; column: number; remove: number; insert: string }[]): string {
    const changed = [...lines];
    for (const { line, column, remove, insert } of changes) {
      const text = changed[line]!;
      changed[line] = text.slice(0, column) + insert + text.slice(column + remove);
    }
    return changed.join("\n");
  }

  function isLocated(text: string | Uint8Array): boolean {
    const result = parseTemplate({ file: "f.yaml", text });
    const lineCount = (typeof text === "string" ? text : new TextDecoder().decode(text)).split("\n").length;
    const problems = result.ok ? result.warnings : result.problems;
    return (
      (result.ok || problems.length > 0) &&
      problems.every(({ line, column, message }) => line >= 1 && line <= lineCount && column >= 1 && message !== "") &&
      problems.every((problem) => /^f\.yaml:\d+:\d+ /.test(formatProblem(problem)))
    );
  }

  test("edited at random never crashes and is located", () => {
    fc.assert(
      fc.property(fc.array(mutation, { minLength: 1, maxLength: 4 }), (changes) => {
        expect(isLocated(mutate(changes))).toBe(true);
      }),
      {
        numRuns: 80,
        // Once: a misspelt `kind` of a check, which left a refusal without a single problem.
        examples: [[[{ line: 51, column: 6, remove: 3, insert: "&a " }]]],
      },
    );
  });

  test("made of random values never crashes and is located", () => {
    const keys = fc.constantFrom(
      "version",
      "fleet",
      "provider",
      "golden",
      "bootstrap",
      "applications",
      "files",
      "verify",
      "kind",
      "__proto__",
      "constructor",
    );
    const value = fc.letrec((tie) => ({
      any: fc.oneof(
        { maxDepth: 4 },
        fc.jsonValue({ maxDepth: 2 }),
        fc.dictionary(keys, tie("any"), { maxKeys: 5 }),
        fc.array(tie("any"), { maxLength: 3 }),
      ),
    })).any;
    fc.assert(
      fc.property(value, (any) => {
        expect(isLocated(JSON.stringify(any))).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  test("of random bytes never crashes and is located", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(isLocated(bytes)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });
});
