import { Option } from "commander";
import type { Command } from "commander";
import type { startStack as StartStack } from "../../embedded/stack.ts";
import type { CliContext } from "../context.ts";
import type { Scenario } from "../demo/scenario.ts";
import { contextOf } from "../context.ts";
import { exitCodes } from "../exit-codes.ts";
import { wholeNumber } from "../whole-number.ts";

interface DemoFlags {
  trace?: string;
  day?: string;
  seed: string;
  isolation: "auto" | "bwrap" | "none";
  stepMs: string;
  forecast: boolean;
  records?: string;
}

/** Adds `demo`: the whole product on this machine, from an empty home to a report. */
export function registerDemo(program: Command): void {
  program
    .command("demo")
    .description("replay one real day as real load on real local hosts, then report")
    .option("--trace <file>", "a path, or a name in examples/traces (default: nyc_taxi_30min.csv)")
    .option("--day <number>", "day of the trace, counted from 0; without it the seed draws one of the second half")
    .option("--seed <number>", "seed of everything random", "1")
    .addOption(
      new Option("--isolation <mode>", "walls of local hosts").choices(["auto", "bwrap", "none"]).default("auto"),
    )
    .addOption(new Option("--step-ms <milliseconds>", "clock time of one 5-minute step of the trace").default("750"))
    .option("--records <file>", "write the recorded claims, lead times and decisions as JSON")
    .option("--no-forecast", "run without the forecaster, to see what it is worth")
    .action(async (flags: DemoFlags, command: Command) => demo(flags, contextOf(command)));
}

async function demo(flags: DemoFlags, context: CliContext): Promise<void> {
  const [files, { tmpdir }, path, scenarios, { startStack }, { surviveClosedOutput }] = await Promise.all([
    import("node:fs"),
    import("node:os"),
    import("node:path"),
    import("../demo/scenario.ts"),
    import("../../embedded/stack.ts"),
    import("../closed-output.ts"),
  ]);
  const { print, style } = context;
  const isDefaultTrace = flags.trace === undefined;
  const scenario = scenarios.loadScenario({
    trace: flags.trace ?? scenarios.defaultTrace,
    day: dayOf(flags, isDefaultTrace ? scenarios.defaultDay : null),
    seed: wholeNumber("--seed", flags.seed, { min: 0, max: 2 ** 31 }),
  });
  const home = files.mkdtempSync(path.join(tmpdir(), "forewarm-demo-"));
  const interrupted = new AbortController();
  const interrupt = (): void => interrupted.abort();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, interrupt);
  surviveClosedOutput();
  const say = (line: string): void => print.note(style.dim(line));
  say(`home ${home}`);
  const run: DemoRun = { flags, context, scenario, home, signal: interrupted.signal };
  try {
    await onStack(run, { startStack, say });
  } catch (error) {
    // Kept after a failure, for its logs; of no use otherwise.
    if (!interrupted.signal.aborted) throw error;
    process.exitCode = exitCodes.interrupted;
  }
  files.rmSync(home, { recursive: true, force: true });
}

async function onStack(
  run: DemoRun,
  { startStack, say }: { startStack: typeof StartStack; say: (line: string) => void },
): Promise<void> {
  const { flags, context, home, signal } = run;
  const stack = await startStack({ home, isolation: flags.isolation, onProgress: say, signal });
  try {
    say(`Web UI ${stack.info.uiUrl ?? "that of your Temporal server"}   isolation ${stack.info.isolation}`);
    await replay(run);
    if (process.stdout.isTTY && context.mode === "text" && !signal.aborted) {
      context.print.note(
        `The stack stays up; Ctrl-C stops it. Look around: forewarm --home ${home} status demo --hosts`,
      );
      await untilAborted(signal);
    }
  } finally {
    await stack.stop();
  }
}

function dayOf(flags: DemoFlags, fallback: number | null): number | null {
  if (flags.day !== undefined) return wholeNumber("--day", flags.day, { min: 0, max: 100_000 });
  return flags.seed === "1" ? fallback : null;
}

async function untilAborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted)
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

interface DemoRun {
  flags: DemoFlags;
  context: CliContext;
  scenario: Scenario;
  home: string;
  signal: AbortSignal;
}

async function replay({ flags, context, scenario, home, signal }: DemoRun): Promise<void> {
  const [path, files] = await Promise.all([import("node:path"), import("node:fs")]);
  const [{ openSession }, { runDemo }, { createDemoView }, { reportLines }] = await Promise.all([
    import("../session.ts"),
    import("../demo/run-demo.ts"),
    import("../demo/demo-view.ts"),
    import("../demo/report-lines.ts"),
  ]);
  const session = await openSession({ ...context.config, home, temporalAddress: null });
  const view = createDemoView(context, scenario.policy.perHost * scenario.policy.targetUtilization);
  try {
    const report = await runDemo({
      session,
      scenario,
      signal,
      forecast: flags.forecast,
      stepMs: wholeNumber("--step-ms", flags.stepMs, { min: 250, max: 60_000 }),
      signingKeyPath: path.join(home, "keys", "signing.pem"),
      onRecords: (evidence) =>
        flags.records !== undefined && files.writeFileSync(flags.records, JSON.stringify(evidence)),
      onPhase: (text) => view.say(text),
      onLook: (look) => view.look(look),
    });
    view.end();
    context.print.result(report, () => reportLines(report, context).join("\n"));
  } finally {
    view.end();
    await session.close();
  }
}
