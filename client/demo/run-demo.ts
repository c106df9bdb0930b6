import { setTimeout as wait } from "node:timers/promises";
import { ForewarmError } from "../../domain/errors.ts";
import type { FleetDescription } from "../../domain/host/describe-fleet.ts";
import type { LoadProgress, LoadSummary } from "../../embedded/demo/load-plan.ts";
import { startLoad } from "../../embedded/demo/load-generator.ts";
import type { TraceTime } from "../../embedded/demo/trace-time.ts";
import { createTraceTime } from "../../embedded/demo/trace-time.ts";
import { taskQueues, workflowNames } from "../../workflows/messages.ts";
import { applyTemplate } from "../apply-template.ts";
import type { FleetHandle } from "../fleet-handle.ts";
import { openFleet } from "../fleet-handle.ts";
import { readSigningKey } from "../golden-bundle.ts";
import type { Session } from "../session.ts";
import type { ReplayRecords } from "./day-events.ts";
import { readRecords } from "./day-events.ts";
import type { DemoReport } from "./demo-report.ts";
import { demoReport } from "./demo-report.ts";
import type { DemoTemplateOptions } from "./demo-template.ts";
import { demoTemplate } from "./demo-template.ts";
import type { Scenario } from "./scenario.ts";
import { hostsAtStart } from "./scenario.ts";

export interface DemoOptions {
  session: Session;
  scenario: Scenario;
  signingKeyPath: string;
  /** Clock milliseconds of one control step. */
  stepMs: number;
  forecast: boolean;
  /** Takes what the store recorded, for those who want to compute the report again. */
  onRecords: (evidence: DemoEvidence) => void;
  onPhase: (text: string) => void;
  onLook: (look: DemoLook) => void;
  signal: AbortSignal;
}

/** The raw rows behind a report. Times are of the clock; the counted day lies between start and end. */
export interface DemoEvidence {
  records: ReplayRecords;
  load: LoadSummary;
  speed: number;
  dayStartWallMs: number;
  endWallMs: number;
}

/** What the live view shows of a moment. */
export interface DemoLook {
  description: FleetDescription;
  load: LoadProgress | null;
  time: TraceTime;
  step: number;
  steps: number;
}

const pollMs = 500;
const warmTimeoutMs = 120_000;
const startMarginMs = 500;
const samplesPerRun = 3000;

interface Demo extends DemoOptions {
  fleet: FleetHandle;
  speed: number;
}

async function apply(
  demo: Demo,
  change: Pick<DemoTemplateOptions, "version" | "minServing" | "standbyMin">,
): Promise<void> {
  const { session, scenario, speed, forecast, signingKeyPath } = demo;
  const file = await demoTemplate({ scenario, speed, forecast, ...change });
  await applyTemplate(session.client, { file, key: readSigningKey(signingKeyPath) });
}

/** Brings the fleet to where midnight finds it: enough serving hosts, and some standby. */
async function warmUp(demo: Demo): Promise<string> {
  const wanted = hostsAtStart(demo.scenario);
  demo.onPhase(`warming ${wanted} serving and 2 standby hosts`);
  await apply(demo, { version: "1", minServing: wanted, standbyMin: 2 });
  const deadlineMs = Date.now() + warmTimeoutMs;
  while (Date.now() < deadlineMs) {
    demo.signal.throwIfAborted();
    const { counts, endpoint, claimable } = await demo.fleet.describe();
    if ((counts.serving ?? 0) >= wanted && claimable >= 2 && endpoint !== null) return endpoint;
    await wait(pollMs, undefined, { signal: demo.signal });
  }
  throw new ForewarmError(
    "COMMAND_TIMED_OUT",
    `the fleet did not reach ${wanted} serving hosts in ${warmTimeoutMs / 1000} s`,
    {
      cure: "Read `forewarm status demo --hosts` and the logs in FOREWARM_HOME/logs.",
    },
  );
}

/** Loads the days before, compressed to the replay's speed, so that they end where the load begins. */
async function loadHistory(demo: Demo, endMs: number): Promise<void> {
  const { session, scenario, stepMs } = demo;
  const past = scenario.history.slice(0, scenario.history.length - scenario.leadInSteps);
  demo.onPhase(`loading ${Math.round(past.length / scenario.seasonSteps)} earlier days as history`);
  for (let from = 0; from < past.length; from += samplesPerRun) {
    const values = past.slice(from, from + samplesPerRun).map((value) => Number(value.toFixed(2)));
    const startMs = endMs - (past.length - from) * stepMs;
    await session.client.workflow.execute(workflowNames.keepDemand, {
      workflowId: `keep-demand/demo/${startMs}`,
      taskQueue: taskQueues.workflows,
      args: [{ fleet: "demo", startMs, stepMs, values }],
      staticSummary: `${values.length} samples of history`,
    });
  }
}

/** Counts of the day alone; those of the warm-up, when nothing could be warm yet, are left out. */
function sinceMidnight(now: FleetDescription, before: FleetDescription | null): FleetDescription {
  if (before === null) return now;
  const totals = { ...now.totals };
  for (const key of ["claims", "warmHits", "waited", "withdrawn"] as const) totals[key] -= before.totals[key];
  return { ...now, totals, hostStarts: now.hostStarts - before.hostStarts };
}

/** Follows the fleet until the load ends, and changes the golden configuration in the middle of the day. */
async function follow(
  demo: Demo,
  day: { time: TraceTime; done: Promise<LoadSummary>; load: () => LoadProgress | null },
): Promise<LoadSummary> {
  const { scenario, stepMs, fleet, onLook } = demo;
  const steps = scenario.steps.length;
  let goldenChanged = false;
  let atMidnight: FleetDescription | null = null;
  for (;;) {
    demo.signal.throwIfAborted();
    const step = Math.floor((Date.now() - day.time.dayStartWallMs) / stepMs);
    if (!goldenChanged && step >= steps / 2) {
      goldenChanged = true;
      await apply(demo, {
        version: "2",
        minServing: scenario.policy.minServing,
        standbyMin: scenario.policy.standbyMin,
      });
      demo.onPhase("golden configuration changed to version 2");
    }
    const description = await fleet.describe();
    if (step < 0) atMidnight = description;
    onLook({ description: sinceMidnight(description, atMidnight), load: day.load(), time: day.time, step, steps });
    const summary = await Promise.race([day.done, wait(pollMs, null)]);
    if (summary !== null) return summary;
  }
}

/** Replays one day of a trace as real load on real hosts and reports what happened. */
export async function runDemo(options: DemoOptions): Promise<DemoReport> {
  const { session, scenario, stepMs } = options;
  const startedMs = Date.now();
  const fleet = openFleet(session.client, "demo");
  const demo: Demo = { ...options, fleet, speed: (scenario.stepSeconds * 1000) / stepMs };
  const url = await warmUp(demo);
  const loadStartMs = (Math.ceil((Date.now() + startMarginMs) / stepMs) + 1) * stepMs;
  await loadHistory(demo, loadStartMs);
  const time = createTraceTime(demo.speed, loadStartMs + scenario.leadInSteps * stepMs);
  let progress: LoadProgress | null = null;
  const rates = [...scenario.history.slice(-scenario.leadInSteps), ...scenario.steps];
  const plan = { url, startAtMs: loadStartMs, stepMs, rates, countFromStep: scenario.leadInSteps, seed: scenario.seed };
  const load = startLoad(plan, (latest) => (progress = latest));
  // Looked at only once the day is followed; a load that is stopped before must not end the program.
  load.done.catch(() => undefined);
  try {
    const { minServing, standbyMin } = scenario.policy;
    await apply(demo, { version: "1", minServing, standbyMin });
    demo.onPhase(`replaying day ${scenario.day} of ${scenario.trace} at ${demo.speed} times its speed`);
    const summary = await follow(demo, { time, done: load.done, load: () => progress });
    const endWallMs = time.wallMsOf(scenario.steps.length * scenario.stepSeconds);
    demo.onPhase("reading what was recorded and replaying the comparators");
    const records = await readRecords(fleet);
    demo.onRecords({ records, load: summary, speed: demo.speed, dayStartWallMs: time.dayStartWallMs, endWallMs });
    const webUi = session.link(fleet.workflowId);
    const wallSeconds = (Date.now() - startedMs) / 1000;
    return demoReport({ scenario, time, endWallMs, load: summary, records, wallSeconds, webUi });
  } finally {
    load.stop();
  }
}
