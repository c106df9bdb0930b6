export const outputModes = ["text", "json", "jsonl"] as const;
export type OutputMode = (typeof outputModes)[number];

/** Writes results to standard output in the mode asked for, and remarks for people to standard error. */
export interface Printer {
  /** The one result of a command: text, one JSON document, or one JSON line for each element of a list. */
  result: (value: unknown, text: () => string) => void;
  /** One of many results as it comes; `json` prints lines too, as there is no end to wait for. */
  row: (value: unknown, text: () => string) => void;
  note: (text: string) => void;
}

/** Builds a printer over two writers. */
export function createPrinter({ mode, out, err }: PrinterOptions): Printer {
  return {
    result(value, text) {
      if (mode === "text") return out(ended(text()));
      if (mode === "json") return out(`${JSON.stringify(value, null, 2)}\n`);
      const rows: unknown[] = Array.isArray(value) ? value : [value];
      return out(rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
    },
    row: (value, text) => out(mode === "text" ? ended(text()) : `${JSON.stringify(value)}\n`),
    note: (text) => err(ended(text)),
  };
}

interface PrinterOptions {
  mode: OutputMode;
  out: (text: string) => void;
  err: (text: string) => void;
}

function ended(text: string): string {
  return text === "" || text.endsWith("\n") ? text : `${text}\n`;
}
