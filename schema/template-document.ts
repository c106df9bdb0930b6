import { isAlias, isMap, isNode, isPair, isScalar, isSeq, LineCounter, parseDocument, visit } from "yaml";
import type { Document, Node, Pair, YAMLError, YAMLMap } from "yaml";
import { excerptOf, formatPath } from "./template-problem.ts";
import type { TemplatePath, TemplateProblem } from "./template-problem.ts";

/** Largest template read, in bytes; equal to `limits.templateBytesMax`. */
export const templateBytesMax = 1024 * 1024;
/** Most times that aliases of one anchor may be expanded; equal to `limits.templateAliasCountMax`. */
export const templateAliasCountMax = 100;
const nestingMax = 64;
/** Most problems told of one template. */
export const problemsMax = 50;

/** Which part of a key-value pair a problem points at. */
export type Target = "key" | "value";

/** A YAML file whose values are known together with their places. */
export interface TemplateDocument {
  value: unknown;
  /** Builds a problem at the deepest existing place on the way to `path`. */
  problemAt: (
    path: TemplatePath,
    message: string,
    more?: { target?: Target; suggestion?: string | null },
  ) => TemplateProblem;
  /** The characters a scalar was written with, such as `0644`; undefined for lists, mappings and missing keys. */
  sourceAt: (path: TemplatePath) => string | undefined;
}

export type DocumentResult = { ok: true; document: TemplateDocument } | { ok: false; problems: TemplateProblem[] };

interface SourceFile {
  file: string;
  text: string;
  lines: LineCounter;
}

interface Fault {
  offset: number;
  message: string;
  path?: TemplatePath;
}

/** Parses one YAML 1.2 document of at most 1 MiB of UTF-8; every fault is returned with its place, none is thrown. */
export function parseTemplateDocument(input: { file: string; text: string | Uint8Array }): DocumentResult {
  const decoded = decode(input.text);
  const lines = new LineCounter();
  const source = { file: input.file, text: decoded.text, lines };
  const fault = decoded.fault ?? tooDeep(decoded.text);
  if (fault !== null) {
    startLines(source);
    return { ok: false, problems: [problemOf(source, fault)] };
  }
  const parsed = parseDocument(decoded.text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false });
  const faults = faultsOf(parsed);
  if (faults.length > 0) return { ok: false, problems: faults.map((found) => problemOf(source, found)) };
  return valueOf(source, parsed);
}

function decode(text: string | Uint8Array): { text: string; fault: Fault | null } {
  const size = text.length;
  if (size > templateBytesMax) {
    return { text: "", fault: { offset: 0, message: `a template has at most ${templateBytesMax} bytes; got ${size}` } };
  }
  if (typeof text === "string") return { text, fault: null };
  try {
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(text), fault: null };
  } catch {
    const lossy = new TextDecoder("utf-8").decode(text);
    return { text: lossy, fault: { offset: lossy.indexOf("\uFFFD"), message: "must be UTF-8 text; got other bytes" } };
  }
}

/** The parser recurses, so nesting is bounded on the characters before it runs. Quotes and comments count too: harmless. */
function tooDeep(text: string): Fault | null {
  const message = `must be nested at most ${nestingMax} levels deep`;
  let depth = 0;
  for (let offset = 0; offset < text.length; offset += 1) {
    const character = text[offset];
    if (character === "[" || character === "{") depth += 1;
    if ((character === "]" || character === "}") && depth > 0) depth -= 1;
    if (depth > nestingMax) return { offset, message };
  }
  const dashes = /^(?:[ \t]*[-?:][ \t]+){64}|^ {1000}/m.exec(text);
  return dashes === null ? null : { offset: dashes.index, message };
}

function startLines(source: SourceFile): void {
  source.lines.addNewLine(0);
  for (const found of source.text.matchAll(/\n/g)) source.lines.addNewLine(found.index + 1);
}

function problemOf(source: SourceFile, fault: Fault & { suggestion?: string | null }): TemplateProblem {
  const offset = Math.max(0, Math.min(fault.offset, source.text.length));
  const { line, col } = source.lines.linePos(offset);
  const at = { line: Math.max(1, line), column: Math.max(1, col) };
  const lineStart = source.lines.lineStarts[at.line - 1] ?? 0;
  const lineText = source.text.slice(lineStart).split("\n", 1)[0] ?? "";
  return {
    file: source.file,
    ...at,
    path: formatPath(fault.path ?? []),
    message: fault.message,
    excerpt: excerptOf(lineText, at.line, at.column),
    suggestion: fault.suggestion ?? null,
  };
}

function faultsOf(parsed: Document): Fault[] {
  const errors = [...parsed.errors, ...parsed.warnings].map((error) => ({
    offset: error.pos[0],
    message: syntaxMessage(error),
  }));
  if (errors.length > 0) return errors.slice(0, problemsMax);
  if (parsed.contents === null) return [{ offset: 0, message: "must be a fleet template; got an empty file" }];
  return duplicateKeys(parsed);
}

function syntaxMessage(error: YAMLError): string {
  if (error.code === "MULTIPLE_DOCS") return "one file holds one template; got a second document after `---`";
  if (error.code === "TAB_AS_INDENT") return "YAML is indented with spaces; got a tab";
  if (error.code === "TAG_RESOLVE_FAILED") return `tags are not supported: ${error.message}`;
  return `not valid YAML: ${error.message.replace(/ at line \d+.*$/s, "")}`;
}

function duplicateKeys(parsed: Document): Fault[] {
  const faults: Fault[] = [];
  visit(parsed, {
    Map(_key, map, ancestors) {
      const seen = new Set<string>();
      for (const pair of map.items) {
        const key = keyText(pair);
        if (faults.length >= problemsMax) return visit.BREAK;
        if (seen.has(key)) {
          const path = [...pathOf(ancestors, map), key];
          faults.push({ offset: startOf(pair.key) ?? 0, message: "the key is given twice; keep one", path });
        }
        seen.add(key);
      }
      return undefined;
    },
  });
  return faults;
}

function pathOf(ancestors: readonly unknown[], last: Node): TemplatePath {
  const chain = [...ancestors, last];
  return chain.flatMap((node, index): (string | number)[] => {
    if (isPair(node)) return [keyText(node)];
    if (!isSeq(node)) return [];
    const position = node.items.indexOf(chain[index + 1]);
    return position === -1 ? [] : [position];
  });
}

function keyText(pair: Pair): string {
  const { key } = pair;
  if (isScalar(key))
    return typeof key.value === "string" ? key.value : JSON.stringify(key.value ?? "").replaceAll('"', "");
  return isNode(key) ? key.toString() : "";
}

function startOf(node: unknown): number | undefined {
  return isNode(node) ? node.range?.[0] : undefined;
}

function valueOf(source: SourceFile, parsed: Document): DocumentResult {
  try {
    const value: unknown = parsed.toJS({ maxAliasCount: templateAliasCountMax });
    return { ok: true, document: { value, ...placesOf(source, parsed) } };
  } catch (error) {
    const message = `aliases expand to too much or to themselves: ${error instanceof Error ? error.message : "refused"}`;
    return { ok: false, problems: [problemOf(source, { offset: firstAlias(parsed), message })] };
  }
}

function firstAlias(parsed: Document): number {
  let offset = 0;
  visit(parsed, {
    Alias(_key, alias) {
      offset = alias.range?.[0] ?? 0;
      return visit.BREAK;
    },
  });
  return offset;
}

function placesOf(source: SourceFile, parsed: Document): Omit<TemplateDocument, "value"> {
  return {
    problemAt: (path, message, more = {}) => {
      const offset = offsetOf(parsed, path, more.target ?? "value");
      return problemOf(source, { offset, message, path, suggestion: more.suggestion ?? null });
    },
    sourceAt: (path) => {
      const node = walk(parsed, path).node;
      return isScalar(node) && walk(parsed, path).depth === path.length ? node.source : undefined;
    },
  };
}

/** A missing key has no place of its own: its nearest parent's key is pointed at instead. */
function offsetOf(parsed: Document, path: TemplatePath, target: Target): number {
  const { node, key, depth } = walk(parsed, path);
  const wanted = target === "key" || depth < path.length ? key : node;
  return startOf(wanted) ?? startOf(node) ?? startOf(key) ?? 0;
}

function walk(parsed: Document, path: TemplatePath): { node: unknown; key: unknown; depth: number } {
  let at: { node: unknown; key: unknown; depth: number } = { node: parsed.contents, key: null, depth: 0 };
  for (const step of path) {
    const next = childOf(resolve(parsed, at.node), step);
    if (next === undefined) break;
    at = { node: next.node ?? next.key, key: next.key, depth: at.depth + 1 };
  }
  return at;
}

function resolve(parsed: Document, node: unknown): unknown {
  return isAlias(node) ? node.resolve(parsed) : node;
}

function childOf(node: unknown, step: string | number): { node: unknown; key: unknown } | undefined {
  if (isSeq(node)) {
    const item = typeof step === "number" ? node.items[step] : undefined;
    return item === undefined ? undefined : { node: item, key: item };
  }
  if (!isMap(node)) return undefined;
  const pair = pairOf(node, String(step));
  return pair === undefined ? undefined : { node: pair.value, key: pair.key };
}

function pairOf(map: YAMLMap, key: string): Pair | undefined {
  return map.items.find((pair) => keyText(pair) === key);
}
