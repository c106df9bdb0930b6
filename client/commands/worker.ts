import type { ChildProcess } from "node:child_process";
import type { Command } from "commander";
import type { StackEntries } from "../../embedded/stack-stages.ts";

/** Adds `worker`: runs one worker in the foreground, for a Temporal server of one's own. `entries` as for `up`. */
export function registerWorker(program: Command, entries: StackEntries = {}): void {
  program
    .command("worker")
    .description(
      "run a worker in the foreground with the environment of this shell (TEMPORAL_ADDRESS, DATABASE_URL, …)",
    )
    .action(async () => {
      const { spawn } = await import("node:child_process");
      const { commandFor } = await import("../../embedded/entries.ts");
      const { command, args } = commandFor("worker", entries.worker);
      process.exitCode = await exitCodeOf(spawn(command, args, { stdio: "inherit" }));
    });
}

// Ctrl-C in a terminal reaches the worker by itself; only what is sent to this process alone is passed on.
async function exitCodeOf(child: ChildProcess): Promise<number> {
  const passOn = (signal: NodeJS.Signals): void => void child.kill(signal);
  const leaveToTerminal = (): void => undefined;
  process.on("SIGINT", leaveToTerminal);
  process.on("SIGTERM", passOn);
  process.on("SIGHUP", passOn);
  try {
    return await new Promise<number>((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", (code, signal) => resolve(code ?? (signal === "SIGINT" ? 130 : 1)));
    });
  } finally {
    process.off("SIGINT", leaveToTerminal);
    process.off("SIGTERM", passOn);
    process.off("SIGHUP", passOn);
  }
}
