import type { FleetTemplate } from "../schema/fleet-template.ts";

export interface TemplateChange {
  kind: "added" | "removed" | "changed";
  sign: "+" | "-" | "~";
  path: string;
  text: string;
}

const textMax = 80;

function show(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > textMax ? `${text.slice(0, textMax - 1)}…` : text;
}

/** Every leaf of a value with its dotted path. */
function leavesOf(value: unknown, path: string): [string, unknown][] {
  if (typeof value !== "object" || value === null) return [[path, value]];
  return Object.entries(value).flatMap(([key, inner]) => leavesOf(inner, path === "" ? key : `${path}.${key}`));
}

/** What differs between the template in force and a new one, leaf by leaf. */
export function templateChanges(before: FleetTemplate | null, after: FleetTemplate): TemplateChange[] {
  const old = new Map(before === null ? [] : leavesOf(before, ""));
  const now = new Map(leavesOf(after, ""));
  const changes: TemplateChange[] = [];
  for (const [path, value] of now) {
    if (!old.has(path)) changes.push({ kind: "added", sign: "+", path, text: show(value) });
    else if (old.get(path) !== value)
      changes.push({ kind: "changed", sign: "~", path, text: `${show(old.get(path))} → ${show(value)}` });
  }
  for (const [path, value] of old) {
    if (!now.has(path)) changes.push({ kind: "removed", sign: "-", path, text: show(value) });
  }
  return changes;
}
