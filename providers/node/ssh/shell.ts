/** Quotes a text as one word of a POSIX shell. */
export function shellQuote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** An absolute path on the host as one shell word, below `$FOREWARM_ROOT` where the provider sets it. */
export function hostPath(path: string): string {
  return `"\${FOREWARM_ROOT}"${shellQuote(path)}`;
}

interface BoundedCommand {
  command: string;
  /** Bytes that will be written to its standard input. */
  stdinBytes: number;
  /** Longest life on the host, also when nobody is there any more to kill it. */
  lifeSeconds: number;
}

/**
 * The command as it is sent: in one process group that a single KILL ends, and bounded by timeout(1) where the
 * host has it. Input is counted instead of ended, because ssh2 sends no signal on a channel after its end of file.
 */
export function boundedCommand({ command, stdinBytes, lifeSeconds }: BoundedCommand): string {
  const inner =
    stdinBytes === 0 ? `exec </dev/null\n${command}` : `head -c ${stdinBytes} | sh -c ${shellQuote(command)}`;
  const launcher =
    `command -v timeout >/dev/null 2>&1 && exec timeout -s KILL ${Math.ceil(lifeSeconds)} sh -c "$0"; ` +
    `exec sh -c "$0"`;
  return `exec sh -c ${shellQuote(launcher)} ${shellQuote(inner)}`;
}
