import type { Command } from "commander";
import { withFleet } from "../with-fleet.ts";
import type { FleetContext } from "../with-fleet.ts";

/** Adds `watch`: follows a fleet until Ctrl-C. */
export function registerWatch(program: Command): void {
  program
    .command("watch")
    .description("follow a fleet live: demand, forecast band, hosts, claims")
    .argument("<fleet>", "name of the fleet")
    .option("--interval <seconds>", "time between looks", "1")
    .action(async (name: string, options: { interval: string }, command: Command) =>
      withFleet(command, name, (context) => watch(context, Number(options.interval) || 1)),
    );
}

function untilInterrupted(): AbortSignal {
  const controller = new AbortController();
  process.once("SIGINT", () => controller.abort());
  return controller.signal;
}

async function pause(seconds: number, signal: AbortSignal): Promise<void> {
  const { setTimeout: wait } = await import("node:timers/promises");
  await wait(seconds * 1000, undefined, { signal }).catch(() => {});
}

async function watch(context: FleetContext, intervalSeconds: number): Promise<void> {
  const [{ createLiveView }, view] = await Promise.all([
    import("../output/live-view.ts"),
    import("../output/watch-view.ts"),
  ]);
  const { fleet, print, style, columns, link, mode } = context;
  const template = await fleet.template();
  const perHost = (template?.demand.per_host ?? 1) * (template?.demand.target_utilization ?? 1);
  const history = view.emptyWatchHistory();
  const isLive = mode === "text" && process.stdout.isTTY;
  const live = createLiveView(process.stdout);
  const stopped = untilInterrupted();
  while (!stopped.aborted) {
    const description = await fleet.describe();
    const isNew = description.tick !== history.tick;
    view.remember(history, description, perHost);
    const lines = view.watchLines({ description, history, style, columns, link, withHosts: false, extra: [] });
    if (isLive) live.show(lines);
    else if (isNew)
      print.row(
        { at_ms: Date.now(), ...description, hosts: undefined },
        () => `${new Date().toISOString()} ${lines.at(0) ?? ""}`,
      );
    await pause(intervalSeconds, stopped);
  }
  live.end();
}
