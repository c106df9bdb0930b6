import type { z } from "zod";
import type { JsonSchemaNode } from "./fleet-json-schema.ts";
import { allowedAt, pathsEndingIn, valueAt } from "./template-allowed.ts";
import type { Allowed } from "./template-allowed.ts";
import { problemsMax } from "./template-document.ts";
import type { TemplateDocument } from "./template-document.ts";

import type { TemplatePath, TemplateProblem } from "./template-problem.ts";
import { nearest, plainValueFor } from "./template-suggestions.ts";

/** A mapping with more keys than this is not searched for typos. */
const keysComparedMax = 100;

type Issue = z.core.$ZodIssue;

/** The template as written, and the JSON Schema that says what is allowed at each place. */
export interface IssueContext {
  document: TemplateDocument;
  schema: JsonSchemaNode;
}

/** Turns what the schema found into located problems in the operator's words. */
export function problemsOfIssue(context: IssueContext, issue: Issue): TemplateProblem[] {
  const path = issue.path.map((step) => (typeof step === "symbol" ? String(step) : step));
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.slice(0, problemsMax).map((key) => unknownKey(context, path, key));
    case "invalid_key":
      return [badKey(context, path, issue.issues[0]?.message ?? issue.message)];
    case "invalid_format":
    case "custom":
      return [badForm(context, path, issue.message)];
    default:
      return badOrMisspelt(context, path, issue);
  }
}

function allowedIn({ document, schema }: IssueContext, path: TemplatePath): Allowed {
  return allowedAt(schema, path, document.value);
}

function unknownKey(context: IssueContext, parent: TemplatePath, key: string): TemplateProblem {
  const { keys } = allowedIn(context, parent);
  return context.document.problemAt([...parent, key], "unknown key", {
    target: "key",
    suggestion: keySuggestion(context.schema, key, keys),
  });
}

function keySuggestion(schema: JsonSchemaNode, key: string, keys: string[]): string {
  if (key === "<<") return "merge keys are not supported; repeat the values";
  const elsewhere = pathsEndingIn(schema, key)[0];
  if (elsewhere !== undefined) return `it belongs at \`${elsewhere}\``;
  const near = nearest(key, keys);
  if (near !== null) return `did you mean \`${near}\`?`;
  return `known keys: ${keys.join(", ")}`;
}

function badKey(context: IssueContext, path: TemplatePath, message: string): TemplateProblem {
  return context.document.problemAt(path, `the name ${sentence(message)}; got \`${path.at(-1)}\``, { target: "key" });
}

function badForm(context: IssueContext, path: TemplatePath, message: string): TemplateProblem {
  const value = valueAt(context.document.value, path);
  const got = typeof value === "object" ? "" : `; got ${given(context, path)}`;
  return context.document.problemAt(path, `${sentence(message)}${got}`, { suggestion: reverseQuoting(context, path) });
}

function sentence(message: string): string {
  const text = message.replace(/^Invalid (?:string|input): /, "");
  return /^(must|give) /.test(text) ? text : `must be ${text}`;
}

function badValue(context: IssueContext, path: TemplatePath): TemplateProblem {
  const value = valueAt(context.document.value, path);
  const allowed = allowedIn(context, path);
  const must = `must be ${allowed.words ?? "something else"}`;
  if (value === undefined) return missing(context, path, must);
  const key = path.findLast((step) => typeof step === "string") ?? "";
  const near = typeof value === "string" ? nearest(value, allowed.values) : null;
  const suggestion =
    near === null
      ? (plainValueFor(unitKey(path, key), value, allowed.types) ?? quoting(context, path, allowed.types))
      : `did you mean \`${near}\`?`;
  return context.document.problemAt(path, `${must}; got ${given(context, path)}`, { suggestion });
}

/** Phase deadlines carry their unit in the parent's name. */
function unitKey(path: TemplatePath, key: string): string {
  const parent = path.at(-2);
  return typeof parent === "string" && /_(seconds|hours)$/.test(parent) ? parent : key;
}

function missing(context: IssueContext, path: TemplatePath, must: string): TemplateProblem {
  return context.document.problemAt(path, `the key is missing; it ${must}`, { target: "key" });
}

/**
 * A required key that is missing was often written with a typo beside it; that is then said once, at the typo. A union
 * that does not know its kind reports no unknown keys, so there the typo is named here.
 */
function badOrMisspelt(context: IssueContext, path: TemplatePath, issue: Issue): TemplateProblem[] {
  const typo = misspeltKey(context, path);
  if (typo === null) return [badValue(context, path)];
  return issue.code === "invalid_union" ? [unknownKey(context, path.slice(0, -1), typo)] : [];
}

function misspeltKey(context: IssueContext, path: TemplatePath): string | null {
  if (valueAt(context.document.value, path) !== undefined) return null;
  const parent = valueAt(context.document.value, path.slice(0, -1));
  const known = allowedIn(context, path.slice(0, -1)).keys;
  const present = typeof parent === "object" && parent !== null ? Object.keys(parent).slice(0, keysComparedMax) : [];
  return present.find((key) => !known.includes(key) && nearest(key, known) === path.at(-1)) ?? null;
}

function given(context: IssueContext, path: TemplatePath): string {
  const value = valueAt(context.document.value, path);
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (value === null) return "nothing";
  if (typeof value === "object") return "a mapping";
  const text =
    typeof value === "string" ? JSON.stringify(value) : (context.document.sourceAt(path) ?? JSON.stringify(value));
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

function quoting(context: IssueContext, path: TemplatePath, types: readonly string[]): string | null {
  const value = valueAt(context.document.value, path);
  const isBare = typeof value === "number" || typeof value === "boolean";
  return isBare && types.includes("string") ? `write "${context.document.sourceAt(path) ?? value}" in quotes` : null;
}

function reverseQuoting(context: IssueContext, path: TemplatePath): string | null {
  const value = valueAt(context.document.value, path);
  if (typeof value !== "string" || path.at(-1) !== "mode") return null;
  return /^[0-7]{3}$/.test(value) ? `write "0${value}"` : null;
}

/** The same fault is reported once: by place and words. */
export function withoutRepeats(problems: readonly TemplateProblem[]): TemplateProblem[] {
  const seen = new Map(problems.map((problem) => [`${problem.line}:${problem.column} ${problem.message}`, problem]));
  return [...seen.values()].sort((left, right) => left.line - right.line || left.column - right.column);
}
