import { type BenchContext, quantile } from "../harness.ts";
import { atMost, begin, type Part, rowOf, scaled } from "./part.ts";
import { forewarm, run, type Ended } from "./program.ts";

const helpMsMax = 150;
const checkSecondsMax = 60;

async function timed(context: BenchContext, what: string, work: () => Promise<Ended>): Promise<Ended> {
  const ended = await work();
  const { exitCode, durationMs } = ended;
  context.event({ kind: "command", what, exitCode, durationMs });
  if (exitCode !== 0) context.note(`${what} failed:\n${`${ended.stdout}${ended.stderr}`.slice(-4000)}`);
  return ended;
}

/** How long people wait for the help, and for the checks that come before each commit. */
export async function measureCommands(context: BenchContext): Promise<Part> {
  begin(context, "forewarm --help");
  const helps: Ended[] = [];
  for (let count = 0; count < scaled(15, context.scale, 5); count += 1)
    helps.push(await timed(context, "help", () => forewarm(["--help"])));
  begin(context, "npm run check and the unit tests");
  const check = await timed(context, "check", () => run("npm", ["run", "check"]));
  const unit = await timed(context, "unit-tests", () => run("npm", ["run", "test:unit"]));
  const failed = [...helps, check, unit].filter(({ exitCode }) => exitCode !== 0).length;
  const durations = helps.map(({ durationMs }) => durationMs);
  const together = (check.durationMs + unit.durationMs) / 1000;
  return {
    claims: [
      atMost("forewarm --help p50", quantile(durations, 0.5), [helpMsMax, "ms"]),
      atMost("check and unit tests", together, [checkSecondsMax, "s"]),
      atMost("commands that failed", failed, [0, "commands"]),
    ],
    table: [
      rowOf("forewarm --help", durations, "ms"),
      rowOf("npm run check", [check.durationMs / 1000], "s"),
      rowOf("npm run test:unit", [unit.durationMs / 1000], "s"),
    ],
  };
}
