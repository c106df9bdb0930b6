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
 * Runs its argument in this very process group, so that a single KILL ends it all, and bounded by timeout(1) where the
 * host has it. Unless it leads the group already (on a local host nsenter(1) does), timeout(1) would make a group of
 * its own that the KILL does not reach; `--foreground` keeps it from that.
 */
function launcher(lifeSeconds: number): string {
  const bound = `-s KILL ${Math.ceil(lifeSeconds)} sh -c "$0"`;
  return [
    "if command -v timeout >/dev/null 2>&1; then",
    "read -r _ _ _ _ group _ 2>/dev/null </proc/$$/stat",
    `[ "$group" = $$ ] && exec timeout ${bound}`,
    `exec timeout --foreground ${bound}`,
    "fi",
    `exec sh -c "$0"`,
  ].join("\n");
}

/** The command as it is sent. Input is counted, not ended: ssh2 sends no signal on a channel after its end of file. */
export function boundedCommand({ command, stdinBytes, lifeSeconds }: BoundedCommand): string {
  const inner =
    stdinBytes === 0 ? `exec </dev/null\n${command}` : `head -c ${stdinBytes} | sh -c ${shellQuote(command)}`;
  return `exec sh -c ${shellQuote(launcher(lifeSeconds))} ${shellQuote(inner)}`;
}
