import { expect, test } from "vitest";
import { fleetJsonSchema } from "../../schema/fleet-json-schema.ts";
import { generatedSection, markdownTable } from "../generated-section.ts";

interface Node {
  type?: string;
  description?: string;
  default?: unknown;
  const?: string | number;
  enum?: (string | number | null)[];
  properties?: Record<string, Node>;
  required?: string[];
  items?: Node;
  additionalProperties?: Node | false;
  oneOf?: Node[];
  anyOf?: Node[];
  pattern?: string;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  minItems?: number;
  maxItems?: number;
  maxLength?: number;
}

const bound = (sign: string, value: number | undefined): string[] =>
  value === undefined || Math.abs(value) === Number.MAX_SAFE_INTEGER ? [] : [`${sign} ${value}`];

function typeOf(node: Node): string {
  if (node.const !== undefined) return `\`${String(node.const)}\``;
  const choices = node.enum ?? node.anyOf?.flatMap((choice) => choice.enum ?? [choice.type]);
  if (choices !== undefined) return choices.map((choice) => `\`${String(choice)}\``).join(" ");
  if (node.type === "array") return node.items?.type === "string" ? "list of texts" : "list";
  return { string: "text", integer: "whole number", object: "mapping" }[node.type ?? ""] ?? node.type ?? "";
}

function rangeOf(node: Node): string {
  const bounds = [
    ...bound("≥", node.minimum),
    ...bound(">", node.exclusiveMinimum),
    ...bound("≤", node.maximum),
    ...bound("<", node.exclusiveMaximum),
    ...bound("entries ≥", node.minItems),
    ...bound("entries ≤", node.maxItems),
    ...bound("characters ≤", node.maxLength),
  ];
  return [typeOf(node), ...bounds].join(", ");
}

function defaultOf(node: Node, isRequired: boolean): string {
  if (isRequired) return "**required**";
  return node.default === undefined ? "" : `\`${JSON.stringify(node.default)}\``;
}

type Row = [key: string, meaning: string, range: string, fallback: string];

/** Keys below a node, depth first; a list's entries are written `key[]`, the forms of a choice `key[kind]`. */
function rowsOf(node: Node, path: string): Row[] {
  return Object.entries(node.properties ?? {}).flatMap(([name, child]): Row[] => {
    const key = path === "" ? name : `${path}.${name}`;
    const isRequired = node.required?.includes(name) ?? false;
    const isGroup = child.properties !== undefined && child.description === undefined;
    const own: Row = [`\`${key}\``, child.description ?? "", rangeOf(child), defaultOf(child, isRequired)];
    return (isGroup ? [] : [own]).concat(rowsOf(child, key), entriesOf(child, key));
  });
}

function entriesOf({ items }: Node, key: string): Row[] {
  if (items === undefined) return [];
  const forms = items.oneOf ?? [items];
  return forms.flatMap((form) => {
    const kind = form.properties?.["kind"]?.const;
    return rowsOf(form, kind === undefined ? `${key}[]` : `${key}[${String(kind)}]`).filter(
      ([name]) => kind === undefined || !name.endsWith("].kind`"),
    );
  });
}

test("docs/template.md lists every key with its range and default", () => {
  const rows = rowsOf(fleetJsonSchema() as Node, "");
  const wanted = markdownTable(["key", "meaning", "takes", "default"], rows);
  expect(generatedSection("template.md", "keys", wanted)).toBe(wanted);
});
