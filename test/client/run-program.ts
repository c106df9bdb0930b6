import { createProgram } from "../../client/program.ts";
import { runCli } from "../../client/run-cli.ts";

/** Runs one command line in this process, without colours, 100 columns wide. */
export async function forewarm(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const before = process.exitCode;
  const written = { out: "", err: "" };
  const program = createProgram({
    writeOut: (text) => void (written.out += text),
    writeErr: (text) => void (written.err += text),
    getOutHasColors: () => false,
    getOutHelpWidth: () => 100,
  });
  process.exitCode = undefined;
  try {
    const code = await runCli(program, args);
    return { code, ...written };
  } finally {
    process.exitCode = before;
  }
}
