import { CommanderError } from "commander";
import type { Command } from "commander";
import { ForewarmError } from "../domain/errors.ts";
import { contextOf } from "./context.ts";
import { exitCodeOf } from "./exit-codes.ts";
import { renderError } from "./output/render-error.ts";

/** Runs one command line and returns its exit status; an error is printed, never thrown. */
export async function runCli(program: Command, args: readonly string[]): Promise<number> {
  try {
    await program.parseAsync(args, { from: "user" });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    if (isHelp(error)) return error.exitCode;
    const told = error instanceof CommanderError ? usageError(error) : error;
    const { mode, style, config } = contextOf(program);
    program.configureOutput().writeErr?.(renderError(told, { mode, style, debug: config.debug }));
    return exitCodeOf(told);
  }
}

function isHelp(error: unknown): error is CommanderError {
  return error instanceof CommanderError && /^commander\.(help|version)/.test(error.code);
}

function usageError(error: CommanderError): ForewarmError {
  return new ForewarmError("USAGE", error.message.replace(/^error: /, "").replaceAll("\n", " "), { cause: error });
}
