import { Option } from "commander";
import type { Command } from "commander";
import type { ClaimAnswer } from "../../workflows/messages.ts";
import type { FleetContext } from "../with-fleet.ts";
import { exitCodes } from "../exit-codes.ts";
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
    .addOption(new Option("--id <claim-id>", "repeat an earlier claim, which gives the same host again"))
    .option("--timeout <seconds>", "longest wait for hosts that are not warm", "300")
    .option("--no-wait", "answer at once, also when queued")
    .action(async (fleet: string, options: ClaimOptions, command: Command) =>
      withFleet(command, fleet, (context) => claim(context, options)),
    );
}

export interface ClaimResult {
  claimId: string;
  answer: ClaimAnswer;
  waitedMs: number;
}

const pollMs = 500;

/** Repeats the claim until it is granted or the deadline passes; the id makes repetition harmless. */
async function claimOne(
  { fleet }: FleetContext,
  request: { claimId: string; deadlineMs: number },
): Promise<ClaimResult> {
  const startedMs = Date.now();
  for (;;) {
    const answer = await fleet.claim(request.claimId);
    const waitedMs = Date.now() - startedMs;
    if (answer.kind === "granted" || Date.now() >= request.deadlineMs)
      return { claimId: request.claimId, answer, waitedMs };
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}

function asText({ claimId, answer, waitedMs }: ClaimResult): string {
  if (answer.kind === "granted") return `${answer.hostId}  epoch ${answer.epoch}  claim ${claimId}  ${waitedMs} ms`;
  const tta = answer.ttaSeconds === null ? "unknown" : `about ${answer.ttaSeconds.toFixed(0)} s`;
  return `queued at position ${answer.position}, ready in ${tta}  claim ${claimId}\n  ask again: forewarm claim FLEET --id ${claimId}`;
}

function asRecord({ claimId, answer, waitedMs }: ClaimResult): unknown {
  const { kind } = answer;
  const shared = { claim_id: claimId, kind, wall_ms: waitedMs };
  if (answer.kind === "granted") return { ...shared, host: answer.hostId, epoch: answer.epoch };
  return { ...shared, position: answer.position, tta_seconds: answer.ttaSeconds };
}

async function claim(context: FleetContext, options: ClaimOptions): Promise<void> {
  const { randomUUID } = await import("node:crypto");
  const { wholeNumber } = await import("../whole-number.ts");
  const count = wholeNumber("--count", options.count, { min: 1, max: 1000 });
  const timeoutSeconds = options.wait ? wholeNumber("--timeout", options.timeout, { min: 0, max: 86_400 }) : 0;
  const deadlineMs = Date.now() + timeoutSeconds * 1000;
  const ids = options.id === undefined ? Array.from({ length: count }, () => randomUUID()) : [options.id];
  const results = await Promise.all(ids.map((claimId) => claimOne(context, { claimId, deadlineMs })));
  context.print.result(results.map(asRecord), () => results.map(asText).join("\n"));
  if (results.some(({ answer }) => answer.kind === "queued") && options.wait) process.exitCode = exitCodes.timedOut;
}
