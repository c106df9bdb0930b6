import { existsSync } from "node:fs";

/** What an SSH client asked for with `pty-req`. */
export interface Terminal {
  rows: number;
  cols: number;
  term: string;
}

const scriptPath = "/usr/bin/script";

function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/**
 * The command that runs `command` on a terminal of its own, made by script(1) of util-linux;
 * where that is missing, the command itself, on pipes.
 */
export function onTerminal(command: string, { rows, cols, term }: Terminal): string {
  if (process.platform !== "linux" || !existsSync(scriptPath)) return command;
  const name = /^[\w.+-]{1,40}$/.test(term) ? term : "dumb";
  const sized = `stty rows ${Math.trunc(rows)} cols ${Math.trunc(cols)} 2>/dev/null; ${command}`;
  return `TERM=${name} exec ${scriptPath} -qec ${quoted(sized)} /dev/null`;
}
