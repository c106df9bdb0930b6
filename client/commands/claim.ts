import { Option } from "commander";
import type { Command } from "commander";
import { ForewarmError, isForewarmError } from "../../domain/errors.ts";
import type { ClaimAnswer } from "../../workflows/messages.ts";
import type { FleetContext } from "../with-fleet.ts";
import { exitCodes } from "../exit-codes.ts";
import { abandonable, pause, untilInterrupted } from "../interruption.ts";
import { wholeNumber } from "../whole-number.ts";
import { withFleet } from "../with-fleet.ts";

interface ClaimOptions {
  count: string;
  id?: string;
  timeout: string;
  wait: boolean;
}

/** Adds `claim`: asks for verified hosts and prints which ones were granted. */
export function registerClaim(program: Command): void {
  program
    .command("claim")
    .description("ask for verified hosts and put them into rotation")
    .argument("<fleet>", "name of the fleet")
    .option("-n, --count <hosts>", "how many hosts, one claim each", "1")
    .addOption(
      new Option("--id <claim-id>", "name of one claim; repeating it gives the same host again").conflicts("count"),
    )
    .option("--timeout <seconds>", "longest wait for hosts that are not warm", "300")
    .option("--no-wait", "answer at once, also when queued")
    .action(async (fleet: string, options: ClaimOptions, command: Command) =>
      withFleet(command, fleet, (context) => claim(fleet, context, options)),
    );
}

export interface ClaimResult {
  claimId: string;
  answer: ClaimAnswer;
  waitedMs: number;
}

const pollMs = 500;
/** A worker that is started again answers within this time. */
const answerGraceMs = 10_000;

interface ClaimWait {
  deadlineMs: number;
  interrupted: AbortSignal;
}

/** A call without a worker is not answered at all; whoever waits is told so. The claim may be answered later. */
async function unlessStopped<Answer>(call: Promise<Answer>, { deadlineMs, interrupted }: ClaimWait): Promise<Answer> {
  const silent = new AbortController();
  const graceMs = Math.max(answerGraceMs, deadlineMs - Date.now());
  const timer = setTimeout(() => silent.abort(), graceMs);
  try {
    return await abandonable(call, AbortSignal.any([interrupted, silent.signal]), () =>
      silent.signal.aborted
        ? new ForewarmError("COMMAND_TIMED_OUT", "the fleet did not answer", {
            cure: "See with `forewarm doctor` and in logs/worker.log whether a worker runs.",
          })
        : new ForewarmError("CANCELLED", "interrupted before the fleet answered"),
    );
  } finally {
    clearTimeout(timer);
  }
}

/** Repeats the claim until it is granted, the deadline passes or Ctrl-C; the id makes repetition harmless. */
async function claimOne(
  { fleet }: FleetContext,
  claimId: string,
  { deadlineMs, interrupted }: ClaimWait,
): Promise<ClaimResult> {
  const startedMs = Date.now();
  for (;;) {
    const answer = await unlessStopped(fleet.claim(claimId), { deadlineMs, interrupted });
    const waitedMs = Date.now() - startedMs;
    const isLast = answer.kind === "granted" || Date.now() >= deadlineMs || interrupted.aborted;
    if (isLast) return { claimId, answer, waitedMs };
    await pause(pollMs, interrupted);
  }
}

function asText({ claimId, answer, waitedMs }: ClaimResult, fleet: string): string {
  if (answer.kind === "granted") return `${answer.hostId}  epoch ${answer.epoch}  claim ${claimId}  ${waitedMs} ms`;
  const tta = answer.ttaSeconds === null ? "at an unknown time" : `in about ${answer.ttaSeconds.toFixed(0)} s`;
  return [
    `queued at position ${answer.position}, a host can be ready ${tta}; the claim stays in the queue`,
    `  ask again:  forewarm claim ${fleet} --id ${claimId}`,
    `  give it up: forewarm release ${fleet} ${claimId}`,
  ].join("\n");
}

function asRecord({ claimId, answer, waitedMs }: ClaimResult): unknown {
  const { kind } = answer;
  const shared = { claim_id: claimId, kind, wall_ms: waitedMs };
  if (answer.kind === "granted") return { ...shared, host: answer.hostId, epoch: answer.epoch };
  return { ...shared, position: answer.position, tta_seconds: answer.ttaSeconds };
}

/** The answer of these claims is not known: their ids are what it takes to ask again or to give them up. */
function withClaimIds(error: unknown, { fleet, claimIds }: { fleet: string; claimIds: string[] }): unknown {
  if (!isForewarmError(error) || error.code === "CLAIM_REFUSED") return error;
  return new ForewarmError(error.code, `${error.message}; without an answer: claim ${claimIds.join(", ")}`, {
    cause: error,
    cure: `Ask again with \`forewarm claim ${fleet} --id ID\`, or give it up with \`forewarm release ${fleet} ID\`.`,
  });
}

async function claim(name: string, context: FleetContext, options: ClaimOptions): Promise<void> {
  const { randomUUID } = await import("node:crypto");
  const count = wholeNumber("--count", options.count, { min: 1, max: 1000 });
  const timeoutSeconds = options.wait ? wholeNumber("--timeout", options.timeout, { min: 0, max: 86_400 }) : 0;
  const waiting = { deadlineMs: Date.now() + timeoutSeconds * 1000, interrupted: untilInterrupted() };
  const ids = options.id === undefined ? Array.from({ length: count }, () => randomUUID()) : [options.id];
  const settled = await Promise.allSettled(ids.map((claimId) => claimOne(context, claimId, waiting)));
  const results = settled.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
  const unknown = ids.filter((_, index) => settled[index]?.status === "rejected");
  // What was granted is told before anything is said of the rest: nobody else knows these ids.
  if (results.length > 0)
    context.print.result(results.map(asRecord), () => results.map((result) => asText(result, name)).join("\n"));
  const failure = settled.find((outcome) => outcome.status === "rejected");
  if (failure !== undefined) throw withClaimIds(failure.reason, { fleet: name, claimIds: unknown });
  const isQueued = results.some(({ answer }) => answer.kind === "queued");
  if (isQueued && waiting.interrupted.aborted) process.exitCode = exitCodes.interrupted;
  else if (isQueued && options.wait) process.exitCode = exitCodes.timedOut;
}
