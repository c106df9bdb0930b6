import { inspect } from "node:util";
import { isForewarmError } from "../../domain/errors.ts";
import type { OutputMode } from "./print.ts";
import type { Style } from "./style.ts";

/** What a failed command prints: `error CODE: message` and its cure, or the same as JSON; the stack only with `debug`. */
export function renderError(error: unknown, { mode, style, debug }: ErrorOptions): string {
  const known = describe(error);
  if (mode !== "text") return `${JSON.stringify({ error: known })}\n`;
  const head = `${style.bad(`error ${known.code}:`)} ${known.message}`;
  const cure = known.cure === null ? "" : `\n  ${known.cure}`;
  return `${head}${cure}${debug ? `\n${inspect(error)}` : ""}\n`;
}

interface ErrorOptions {
  mode: OutputMode;
  style: Style;
  debug: boolean;
}

function describe(error: unknown): { code: string; message: string; cure: string | null } {
  if (isForewarmError(error)) return { code: error.code, message: error.message, cure: error.cure };
  const message = error instanceof Error ? error.message : String(error);
  return { code: "UNEXPECTED", message, cure: "Run it again with FOREWARM_DEBUG=1 to see where it comes from." };
}
