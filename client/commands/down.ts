import type { Command } from "commander";
import type { StopOutcome } from "../../embedded/stop-home.ts";
import { contextOf, type CliContext } from "../context.ts";

const stopDeadlineMs = 90_000;

/** Adds `down`: stops the embedded stack of this home and waits until it is gone. */
export function registerDown(program: Command): void {
  program
    .command("down")
    .description("stop the embedded stack of this FOREWARM_HOME and wait until it is gone")
    .action(async (_flags: unknown, command: Command) => down(contextOf(command)));
}

async function down({ config, print }: CliContext): Promise<void> {
  const { stopHome } = await import("../../embedded/stop-home.ts");
  const outcome = await stopHome(config.home, stopDeadlineMs);
  print.result({ home: config.home, ...outcome }, () => sentence(config.home, outcome));
}

function sentence(home: string, outcome: StopOutcome): string {
  if (outcome.kind === "idle") return `nothing runs in ${home}`;
  if (outcome.kind === "orphans") return `ended what an earlier stack left in ${home}: ${outcome.names.join(", ")}`;
  return `stopped the stack of process ${outcome.pid}${outcome.forced ? " by force" : ""} in ${home}`;
}
