import type { Command } from "commander";
import { readClientConfig } from "./config.ts";
import type { ClientConfig } from "./config.ts";
import { createPrinter, outputModes } from "./output/print.ts";
import type { OutputMode, Printer } from "./output/print.ts";
import { createStyle } from "./output/style.ts";
import type { Style } from "./output/style.ts";

/** What an action needs of the shell around it. */
export interface CliContext {
  config: ClientConfig;
  mode: OutputMode;
  print: Printer;
  style: Style;
  /** Width of the terminal in columns. */
  columns: number;
  /** Width that tables may take: a terminal's, and no bound where a program or a file reads them. */
  tableColumns: number;
}

/** Reads the global options of the program that `command` belongs to; call it inside the action. */
export function contextOf(command: Command): CliContext {
  const asked: unknown = command.optsWithGlobals()["output"];
  const mode = outputModes.find((known) => known === asked) ?? "text";
  const io = command.configureOutput();
  return {
    config: readClientConfig(),
    mode,
    print: createPrinter({
      mode,
      out: (text) => io.writeOut?.(text),
      err: (text) => io.writeErr?.(text),
    }),
    style: createStyle(mode === "text" && (io.getOutHasColors?.() ?? false)),
    columns: io.getOutHelpWidth?.() ?? 80,
    tableColumns: io.getOutHelpWidth?.() ?? Infinity,
  };
}
