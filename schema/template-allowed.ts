import type { JsonSchemaNode } from "./fleet-json-schema.ts";
import type { TemplatePath } from "./template-problem.ts";

/** What may stand at one place of a template, read from its JSON Schema. */
export interface Allowed {
  /** The range in words, such as "a whole number from 1 to 2000"; null where the schema says nothing. */
  words: string | null;
  /** The values of a closed list, as text. */
  values: string[];
  /** The keys a mapping may have. */
  keys: string[];
  types: string[];
}

/** Reads what is allowed at `path`; `value` is the whole template as given and picks the branch of a union by its `kind`. */
export function allowedAt(schema: JsonSchemaNode, path: TemplatePath, value: unknown): Allowed {
  let nodes = branches(schema, value);
  let given = value;
  for (const step of path) {
    given = childValue(given, step);
    const found = nodes.flatMap((node) => childSchemas(node, step));
    nodes = found.flatMap((node) => branches(node, given));
  }
  const values = nodes.flatMap(valuesOf);
  const words = values.length > 0 ? oneOf(values) : (nodes.map(wordsOf).find((text) => text !== null) ?? null);
  return {
    words,
    values,
    keys: [...new Set(nodes.flatMap((node) => Object.keys(node.properties ?? {})))],
    types: nodes.flatMap((node) => node.type ?? []),
  };
}

/** Every dotted path of the template that ends in `key`, lists written as `[]`. */
export function pathsEndingIn(schema: JsonSchemaNode, key: string): string[] {
  const found: string[] = [];
  collect(schema, "", (path, name) => {
    if (name === key) found.push(path);
  });
  return [...new Set(found)];
}

function collect(node: JsonSchemaNode, prefix: string, seen: (path: string, name: string) => void): void {
  for (const [name, child] of Object.entries(node.properties ?? {})) {
    const path = prefix === "" ? name : `${prefix}.${name}`;
    seen(path, name);
    if (isSchema(child)) collect(child, path, seen);
  }
  for (const item of itemSchemas(node)) collect(item, `${prefix}[]`, seen);
  for (const option of options(node)) collect(option, prefix, seen);
}

/** The value at a path in a parsed template; undefined where there is none. */
export function valueAt(value: unknown, path: TemplatePath): unknown {
  return path.reduce<unknown>(childValue, value);
}

function childValue(value: unknown, step: string | number): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, step)) return undefined;
  return Object.entries(value).find(([name]) => name === String(step))?.[1];
}

function isSchema(node: unknown): node is JsonSchemaNode {
  return typeof node === "object" && node !== null && !Array.isArray(node);
}

function itemSchemas(node: JsonSchemaNode): JsonSchemaNode[] {
  return isSchema(node.items) ? [node.items] : [];
}

function options(node: JsonSchemaNode): JsonSchemaNode[] {
  return [...(node.oneOf ?? []), ...(node.anyOf ?? [])].filter(isSchema);
}

function childSchemas(node: JsonSchemaNode, step: string | number): JsonSchemaNode[] {
  if (typeof step === "number") return itemSchemas(node);
  const named = node.properties?.[step] ?? node.additionalProperties;
  return isSchema(named) ? [named] : [];
}

/** Splits a union; where its branches are told apart by a constant key, only those the given value fits. */
function branches(node: JsonSchemaNode, value: unknown): JsonSchemaNode[] {
  const all = options(node);
  if (all.length === 0) return [node];
  const fitting = all.filter((option) => constantsFit(option, value));
  return fitting.length > 0 ? fitting : all;
}

function constantsFit(option: JsonSchemaNode, value: unknown): boolean {
  return Object.entries(option.properties ?? {}).every(([name, child]) => {
    if (!isSchema(child) || child.const === undefined) return true;
    return childValue(value, name) === child.const;
  });
}

function valuesOf(node: JsonSchemaNode): string[] {
  if (node.const !== undefined) return [String(node.const)];
  return (node.enum ?? []).map(String);
}

function oneOf(values: string[]): string {
  return values.length === 1 ? `\`${values[0]}\`` : `one of ${values.map((value) => `\`${value}\``).join(", ")}`;
}

function wordsOf(node: JsonSchemaNode): string | null {
  switch (node.type) {
    case "integer":
      return `a whole number${rangeOf(node)}`;
    case "number":
      return `a number${rangeOf(node)}`;
    case "string":
      return textWords(node);
    case "boolean":
      return "true or false";
    case "array":
      return `a list${countOf(node.minItems, node.maxItems, "item")}`;
    case "object":
      return "a mapping of keys to values";
    default:
      return null;
  }
}

function textWords(node: JsonSchemaNode): string {
  const least = node.minLength === 1 && node.maxLength === undefined ? undefined : node.minLength;
  return node.minLength === 1 && least === undefined
    ? "text that is not empty"
    : `text${countOf(least, node.maxLength, "character")}`;
}

function rangeOf(node: JsonSchemaNode): string {
  const { minimum, exclusiveMinimum, exclusiveMaximum } = node;
  const maximum = node.maximum === Number.MAX_SAFE_INTEGER ? undefined : node.maximum;
  if (minimum !== undefined && maximum !== undefined) return ` from ${minimum} to ${maximum}`;
  const bounds = [
    typeof exclusiveMinimum === "number" ? `above ${exclusiveMinimum}` : null,
    minimum === undefined ? null : `of at least ${minimum}`,
    typeof exclusiveMaximum === "number" ? `below ${exclusiveMaximum}` : null,
    maximum === undefined ? null : `at most ${maximum}`,
  ].filter((bound) => bound !== null);
  return bounds.length === 0 ? "" : ` ${bounds.join(" and ")}`;
}

function countOf(least: number | undefined, most: number | undefined, unit: string): string {
  if (least !== undefined && most !== undefined) return ` of ${least} to ${most} ${unit}s`;
  if (least !== undefined) return ` of at least ${least} ${unit}${least === 1 ? "" : "s"}`;
  return most === undefined ? "" : ` of at most ${most} ${unit}s`;
}
