import type { CliContext } from "../context.ts";
import { createLiveView } from "../output/live-view.ts";
import { renderBar } from "../output/progress.ts";
import { emptyWatchHistory, remember, watchLines } from "../output/watch-view.ts";
import type { DemoLook } from "./run-demo.ts";

export interface DemoView {
  say: (text: string) => void;
  look: (look: DemoLook) => void;
  end: () => void;
}

/** Without a terminal, a line each twentieth of the day. */
const quietLinesPerDay = 20;
const clockTextLength = 5;

function traceClock({ step, steps }: DemoLook): string {
  const minutes = Math.max(0, Math.round((step / steps) * 24 * 60));
  return new Date(minutes * 60_000).toISOString().slice(11, 11 + clockTextLength);
}

function userLine({ load }: DemoLook): string {
  if (load === null) return "users: no request yet";
  const { p50, p99 } = load.latencyMs;
  return `users: latency p50 ${p50.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms, ${load.requests} requests, ${load.failed} failed`;
}

function quietLine(look: DemoLook): string {
  const { targets, counts, totals } = look.description;
  const demand = targets?.demand?.toFixed(0) ?? "?";
  return `${traceClock(look)}  demand ${demand}/s  serving ${counts.serving ?? 0}  standby ${counts.standby ?? 0}  claims ${totals.claims}, ${totals.warmHits} warm  ${userLine(look)}`;
}

/** Shows a demo as it runs: a repainted block on a terminal, a few lines elsewhere; a host is planned for `hostCapacity` requests a second. */
export function createDemoView({ print, style, columns, mode }: CliContext, hostCapacity: number): DemoView {
  const isLive = mode === "text" && process.stdout.isTTY;
  const live = createLiveView(process.stdout);
  const history = emptyWatchHistory();
  let quietLines = -1;
  return {
    say: (text) => (isLive ? live.say(style.dim(text)) : print.note(text)),
    look(look) {
      const { step, steps } = look;
      remember(history, look.description, hostCapacity);
      if (!isLive) {
        const line = Math.floor((step / steps) * quietLinesPerDay);
        if (line > quietLines && step >= 0) print.note(quietLine(look));
        quietLines = Math.max(quietLines, line);
        return;
      }
      const progress = `${traceClock(look)}  ${renderBar({ done: Math.max(0, step), total: steps, width: 40 })}`;
      live.show(
        watchLines({
          description: look.description,
          history,
          style,
          columns,
          link: null,
          withHosts: false,
          extra: [userLine(look), progress],
        }),
      );
    },
    end: () => isLive && live.end(),
  };
}
