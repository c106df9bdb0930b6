/**
 * Goes on when whoever reads the output leaves, as in `up | head`: what this program started must not lose its
 * supervisor by that. Takes the place of the rule for ordinary verbs, which then have nothing left to do.
 */
export function surviveClosedOutput(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.removeAllListeners("error");
    stream.on("error", () => undefined);
  }
}
