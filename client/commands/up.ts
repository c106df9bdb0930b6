import { Option, type Command } from "commander";
import type { Isolation } from "../../embedded/stack.ts";
import type { StackEntries } from "../../embedded/stack-stages.ts";
import type { StackState } from "../../embedded/stack-state.ts";

interface UpOptions {
  detach: boolean;
  isolation: Isolation;
}

/** Adds `up`: starts the embedded stack. `entries` replaces programs of the stack, as tests do. */
export function registerUp(program: Command, entries: StackEntries = {}): void {
  program
    .command("up")
    .description("start Temporal, the rack, the load balancer and a worker on this machine")
    .option("-d, --detach", "return when ready and leave the stack running", false)
    .addOption(
      new Option("--isolation <mode>", "walls of local hosts").choices(["auto", "bwrap", "none"]).default("auto"),
    )
    .addHelpText("after", "\nStays in the foreground until Ctrl-C; a second Ctrl-C ends everything by force.")
    .action(async (options: UpOptions, command: Command) => up({ ...options, entries, json: asksForJson(command) }));
}

interface UpRequest extends UpOptions {
  entries: StackEntries;
  json: boolean;
}

async function up({ detach, isolation, entries, json }: UpRequest): Promise<void> {
  const { readEmbeddedConfig } = await import("../../embedded/config.ts");
  const { home } = readEmbeddedConfig();
  const options = { home, isolation, entries, onProgress: (line: string) => void process.stderr.write(`${line}\n`) };
  const print = (info: StackState): void => void process.stdout.write(json ? asJson(home, info) : asText(home, info));
  if (detach) {
    const { startDetachedStack } = await import("../../embedded/detach.ts");
    print(await startDetachedStack(options));
    return;
  }
  const { runUntilSignal } = await import("../../embedded/run-until-signal.ts");
  const end = await runUntilSignal(options, print);
  if (end === "forced") process.exitCode = 130;
}

function asText(home: string, info: StackState): string {
  const rows = [
    ["supervisor", `process ${info.pid}`],
    ["Temporal", info.temporalAddress],
    ["Web UI", info.uiUrl ?? "that of your Temporal server"],
    ["isolation", info.isolation],
    ["home", home],
  ];
  return rows.map(([name = "", value = ""]) => `${name.padEnd(12)}${value}\n`).join("");
}

function asJson(home: string, info: StackState): string {
  const { pid, isolation, processes } = info;
  const result = { pid, temporal_address: info.temporalAddress, ui_url: info.uiUrl, isolation, home };
  return `${JSON.stringify({ ...result, processes: processes.map(({ name, pid: child }) => ({ name, pid: child })) })}\n`;
}

function asksForJson(command: Command): boolean {
  return String(command.optsWithGlobals()["output"] ?? "text").startsWith("json");
}
