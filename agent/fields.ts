import { ForewarmError } from "../domain/errors.ts";

/** Reads the fields of an untrusted object; throws INVALID_REQUEST naming the field that is wrong. */
export interface Fields {
  text(key: string): string;
  textOrNull(key: string): string | null;
  integer(key: string): number;
  integerOrNull(key: string): number | null;
  number(key: string): number;
  list(key: string): unknown[];
  texts(key: string): string[];
  record(key: string): Fields;
  anyRecord(key: string): Record<string, unknown>;
  textRecord(key: string): Record<string, string>;
  oneOf<Value extends string>(key: string, allowed: readonly Value[]): Value;
  has(key: string): boolean;
}

export function createFields(where: string, value: unknown): Fields {
  if (!isRecord(value)) throw invalid(where, "is not an object");
  const read = <T>(key: string, accepts: (held: unknown) => held is T, expected: string): T => {
    const held = value[key];
    if (!accepts(held)) throw invalid(`${where}.${key}`, `is not ${expected}`);
    return held;
  };
  return {
    text: (key) => read(key, isText, "a text"),
    textOrNull: (key) => (value[key] === null ? null : read(key, isText, "a text or null")),
    integer: (key) => read(key, isInteger, "an integer"),
    integerOrNull: (key) => (value[key] === null ? null : read(key, isInteger, "an integer or null")),
    number: (key) => read(key, isNumber, "a number"),
    list: (key) => read(key, isList, "a list"),
    texts: (key) => read(key, isTextList, "a list of texts"),
    record: (key) => createFields(`${where}.${key}`, value[key]),
    anyRecord: (key) => read(key, isRecord, "a record"),
    textRecord: (key) => read(key, isTextRecord, "a record of texts"),
    oneOf: (key, allowed) => {
      const found = allowed.find((candidate) => candidate === value[key]);
      if (found === undefined) throw invalid(`${where}.${key}`, `is none of ${allowed.join(", ")}`);
      return found;
    },
    has: (key) => value[key] !== undefined,
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function isInteger(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

function isList(value: unknown): value is unknown[] {
  return Array.isArray(value);
}

function isTextList(value: unknown): value is string[] {
  return Array.isArray(value) && value.every(isText);
}

function isTextRecord(value: unknown): value is Record<string, string> {
  return isRecord(value) && Object.values(value).every(isText);
}

function invalid(where: string, reason: string): ForewarmError {
  return new ForewarmError("INVALID_REQUEST", `${where} ${reason}`);
}
