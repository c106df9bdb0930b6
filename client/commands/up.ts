import { Option, type Command } from "commander";
import type { Isolation, StackOptions } from "../../embedded/stack.ts";
import type { StackEntries } from "../../embedded/stack-stages.ts";
import type { StackState } from "../../embedded/stack-state.ts";
import { contextOf, type CliContext } from "../context.ts";
import { exitCodes } from "../exit-codes.ts";

interface UpFlags {
  detach?: boolean;
  isolation: Isolation;
}

/** Adds `up`: starts the embedded stack. `entries` replaces programs of the stack, as tests do. */
export function registerUp(program: Command, entries: StackEntries = {}): void {
  program
    .command("up")
    .description("start Temporal, the rack, the load balancer and a worker on this machine")
    .option("-d, --detach", "return when ready and leave the stack running")
    .addOption(
      new Option("--isolation <mode>", "walls of local hosts").choices(["auto", "bwrap", "none"]).default("auto"),
    )
    .addHelpText("after", "\nStays in the foreground until Ctrl-C; a second Ctrl-C ends everything by force.")
    .action(async ({ detach, isolation }: UpFlags, command: Command) => {
      const context = contextOf(command);
      const { home } = context.config;
      const options = { home, isolation, entries, onProgress: context.print.note };
      await (detach ? upDetached(options, context) : upInForeground(options, context));
    });
}

async function upInForeground(options: StackOptions, context: CliContext): Promise<void> {
  const [{ runUntilSignal }, { surviveClosedOutput }] = await Promise.all([
    import("../../embedded/run-until-signal.ts"),
    import("../closed-output.ts"),
  ]);
  surviveClosedOutput();
  const end = await runUntilSignal(options, (info) => printStack(info, context));
  if (end === "forced")
    context.print.note("ended by force; local hosts may still run: `forewarm down` powers them off");
  if (end !== "stopped") process.exitCode = exitCodes.interrupted;
}

async function upDetached(options: StackOptions, context: CliContext): Promise<void> {
  const { startDetachedStack } = await import("../../embedded/detach.ts");
  const cancel = new AbortController();
  const onInterrupt = (): void => cancel.abort();
  process.once("SIGINT", onInterrupt);
  try {
    printStack(await startDetachedStack({ ...options, signal: cancel.signal }), context);
  } catch (error) {
    if (!cancel.signal.aborted) throw error;
    process.exitCode = exitCodes.interrupted;
  } finally {
    process.off("SIGINT", onInterrupt);
  }
}

function printStack(info: StackState, { print, config }: CliContext): void {
  const { home } = config;
  const { pid, isolation, uiUrl, temporalAddress } = info;
  const processes = info.processes.map(({ name, pid: child }) => ({ name, pid: child }));
  const result = { pid, temporal_address: temporalAddress, ui_url: uiUrl, isolation, home, processes };
  print.result(result, () => asText(home, info));
}

function asText(home: string, { pid, isolation, uiUrl, temporalAddress }: StackState): string {
  const rows: [string, string][] = [
    ["supervisor", `process ${pid}`],
    ["Temporal", temporalAddress],
    ["Web UI", uiUrl ?? "that of your Temporal server"],
    ["isolation", `${isolation} (keeps hosts apart, no security boundary)`],
    ["home", home],
  ];
  return rows.map(([name, value]) => `${name.padEnd(12)}${value}\n`).join("");
}
