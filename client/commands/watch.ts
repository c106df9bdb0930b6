import type { Command } from "commander";
import { ForewarmError } from "../../domain/errors.ts";
import { withFleet } from "../with-fleet.ts";
import { pause, untilInterrupted } from "../interruption.ts";
import type { FleetContext } from "../with-fleet.ts";

/** Adds `watch`: follows a fleet until Ctrl-C. */
export function registerWatch(program: Command): void {
  program
    .command("watch")
    .description("follow a fleet live: demand, forecast band, hosts, claims")
    .argument("<fleet>", "name of the fleet")
    .option("--interval <seconds>", "time between looks", "1")
    .action(async (name: string, options: { interval: string }, command: Command) =>
      withFleet(command, name, (context) => watch(context, secondsOf(options.interval))),
    );
}

const intervalSecondsMin = 0.1;
const intervalSecondsMax = 3600;

function secondsOf(text: string): number {
  const seconds = Number(text);
  if (seconds >= intervalSecondsMin && seconds <= intervalSecondsMax) return seconds;
  const range = `${intervalSecondsMin} to ${intervalSecondsMax}`;
  throw new ForewarmError("USAGE", `--interval takes seconds from ${range}, got ${JSON.stringify(text)}`);
}

async function watch(context: FleetContext, intervalSeconds: number): Promise<void> {
  const [{ createLiveView }, view, { fleetRecord }] = await Promise.all([
    import("../output/live-view.ts"),
    import("../output/watch-view.ts"),
    import("../output/fleet-record.ts"),
  ]);
  const { fleet, print, style, columns, link, mode } = context;
  const template = await fleet.template();
  const perHost = (template?.demand.per_host ?? 1) * (template?.demand.target_utilization ?? 1);
  const history = view.emptyWatchHistory();
  const isLive = mode === "text" && process.stdout.isTTY;
  const live = createLiveView(process.stdout);
  const stopped = untilInterrupted();
  try {
    while (!stopped.aborted) {
      const description = await fleet.describe();
      const isNew = description.tick !== history.tick;
      view.remember(history, description, perHost);
      const lines = view.watchLines({ description, history, style, columns, link, withHosts: false, extra: [] });
      if (isLive) live.show(lines);
      else if (isNew)
        print.row(
          { at_ms: Date.now(), ...fleetRecord(description) },
          () => `${new Date().toISOString()} ${lines.at(0) ?? ""}`,
        );
      await pause(intervalSeconds * 1000, stopped);
    }
  } finally {
    // The view hides the cursor.
    live.end();
  }
}
