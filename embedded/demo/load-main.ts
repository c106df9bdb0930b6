import { Agent, get } from "node:http";
import { setTimeout as wait } from "node:timers/promises";
import type { LoadPlan, LoadProgress, LoadSummary } from "./load-plan.ts";
import { loadPlanSchema } from "./load-plan.ts";

const requestTimeoutMs = 10_000;
const progressEveryMs = 1000;

interface Tally {
  requests: number;
  failed: number;
  failures: Record<string, number>;
  versions: Record<string, number>;
  latenciesMs: number[];
  recentMs: number[];
}

interface Answer {
  failure: string | null;
  version: string | null;
}

function quantile(sorted: readonly number[], probability: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(probability * sorted.length))] ?? 0;
}

function ascending(values: readonly number[]): number[] {
  return [...values].sort((left, right) => left - right);
}

function request(url: string, agent: Agent): Promise<Answer> {
  return new Promise((resolve) => {
    const sent = get(url, { agent, timeout: requestTimeoutMs }, (response) => {
      const status = response.statusCode ?? 0;
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", () => resolve({ failure: "response broke off", version: null }));
      response.on("end", () => {
        const version = /"version":\s*"?([\w.-]+)/.exec(Buffer.concat(chunks).toString("utf8"))?.[1] ?? null;
        resolve({ failure: status === 200 ? null : `status ${status}`, version });
      });
    });
    sent.on("timeout", () => sent.destroy(new Error("time-out")));
    sent.on("error", (error: NodeJS.ErrnoException) =>
      resolve({ failure: error.code ?? error.message, version: null }),
    );
  });
}

function count(tally: Tally, answer: Answer, latencyMs: number): void {
  tally.requests += 1;
  tally.latenciesMs.push(latencyMs);
  tally.recentMs.push(latencyMs);
  if (answer.version !== null) tally.versions[answer.version] = (tally.versions[answer.version] ?? 0) + 1;
  if (answer.failure === null) return;
  tally.failed += 1;
  tally.failures[answer.failure] = (tally.failures[answer.failure] ?? 0) + 1;
}

function progressOf(tally: Tally, step: number): LoadProgress {
  const recent = ascending(tally.recentMs);
  tally.recentMs = [];
  return {
    step,
    requests: tally.requests,
    failed: tally.failed,
    latencyMs: { p50: quantile(recent, 0.5), p99: quantile(recent, 0.99) },
  };
}

function summaryOf(tally: Tally): LoadSummary {
  const { requests, failed, failures, versions } = tally;
  const sorted = ascending(tally.latenciesMs);
  const latencyMs = { p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99), max: sorted.at(-1) ?? 0 };
  return { done: true, requests, failed, failures, latencyMs, versions };
}

/** Arrival times of one step: evenly spaced, shifted by the seed, the fraction of a request carried to the next step. */
function* arrivals(plan: LoadPlan): Generator<{ step: number; atMs: number }> {
  let owed = (plan.seed % 97) / 97;
  for (const [step, rate] of plan.rates.entries()) {
    owed += (rate * plan.stepMs) / 1000;
    const whole = Math.floor(owed);
    owed -= whole;
    for (let index = 0; index < whole; index += 1) {
      yield { step, atMs: plan.startAtMs + (step + (index + 0.5) / whole) * plan.stepMs };
    }
  }
}

async function sendOne(url: string, agent: Agent, tally: Tally | null): Promise<void> {
  const startedMs = performance.now();
  const answer = await request(url, agent);
  if (tally !== null) count(tally, answer, performance.now() - startedMs);
}

/** Sends the plan at its own pace whatever the answers do (open loop), so that slow answers cannot hide demand. */
async function sendAll(plan: LoadPlan, tally: Tally, onStep: (step: number) => void): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 2000 });
  const inFlight = new Set<Promise<void>>();
  for (const { step, atMs } of arrivals(plan)) {
    const delayMs = atMs - Date.now();
    if (delayMs > 1) await wait(delayMs);
    onStep(step);
    const counted = step >= plan.countFromStep;
    const work = sendOne(plan.url, agent, counted ? tally : null).finally(() => inFlight.delete(work));
    inFlight.add(work);
  }
  await Promise.all(inFlight);
  agent.destroy();
}

async function readPlan(): Promise<LoadPlan> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return loadPlanSchema.parse(JSON.parse(Buffer.concat(chunks).toString("utf8")));
}

const plan = await readPlan();
const tally: Tally = { requests: 0, failed: 0, failures: {}, versions: {}, latenciesMs: [], recentMs: [] };
let currentStep = 0;
const timer = setInterval(() => {
  process.stdout.write(`${JSON.stringify(progressOf(tally, currentStep))}\n`);
}, progressEveryMs);
await sendAll(plan, tally, (step) => {
  currentStep = step;
});
clearInterval(timer);
process.stdout.write(`${JSON.stringify(summaryOf(tally))}\n`);
