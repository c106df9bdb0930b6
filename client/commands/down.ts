import type { Command } from "commander";
import type { StopOutcome } from "../../embedded/stop-home.ts";

const stopDeadlineMs = 90_000;

/** Adds `down`: stops the embedded stack of this home and waits until it is gone. */
export function registerDown(program: Command): void {
  program
    .command("down")
    .description("stop the embedded stack of this FOREWARM_HOME and wait until it is gone")
    .action(async (_options: unknown, command: Command) => down(command));
}

async function down(command: Command): Promise<void> {
  const { readEmbeddedConfig } = await import("../../embedded/config.ts");
  const { stopHome } = await import("../../embedded/stop-home.ts");
  const { home } = readEmbeddedConfig();
  const outcome = await stopHome(home, stopDeadlineMs);
  const json = String(command.optsWithGlobals()["output"] ?? "text").startsWith("json");
  process.stdout.write(json ? `${JSON.stringify({ home, ...outcome })}\n` : `${sentence(home, outcome)}\n`);
}

function sentence(home: string, outcome: StopOutcome): string {
  if (outcome.kind === "idle") return `nothing runs in ${home}`;
  if (outcome.kind === "orphans") return `ended what a killed supervisor left in ${home}: ${outcome.names.join(", ")}`;
  return `stopped the stack of process ${outcome.pid}${outcome.forced ? " by force" : ""} in ${home}`;
}
