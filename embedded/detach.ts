import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { ForewarmError, errorCatalogue, isForewarmError, type ErrorCode } from "../domain/errors.ts";
import { entryCommand } from "./entries.ts";
import { homePaths } from "./home.ts";
import type { StackOptions } from "./stack.ts";
import { stackStateSchema, type StackState } from "./stack-state.ts";

/** What the supervisor entry takes as its one argument, as JSON. */
export const detachedOptionsSchema = z.object({
  home: z.string(),
  isolation: z.enum(["auto", "bwrap", "none"]),
  addresses: z.string().optional(),
  entries: z.partialRecord(z.enum(["rack", "load-balancer", "worker"]), z.string()).optional(),
  temporal: z
    .discriminatedUnion("kind", [
      z.object({ kind: z.literal("address"), address: z.string() }),
      z.object({ kind: z.literal("executable"), path: z.string(), version: z.string() }),
    ])
    .optional(),
});

const messageSchema = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("progress"), line: z.string() }),
  z.object({ kind: z.literal("ready"), info: stackStateSchema }),
  z.object({ kind: z.literal("failed"), code: z.string(), message: z.string(), cure: z.string().optional() }),
]);
/** What the supervisor entry tells the command that started it. */
export type SupervisorMessage = z.infer<typeof messageSchema>;

/** Starts a stack under a supervisor that outlives this process, and waits until it is ready. Throws as `startStack` does. */
export async function startDetachedStack(options: StackOptions): Promise<StackState> {
  const { home, isolation, addresses, entries, temporal } = options;
  const { command, args } = entryCommand("supervisor");
  const { logs } = homePaths(home);
  mkdirSync(logs, { recursive: true, mode: 0o700 });
  const log = openSync(join(logs, "supervisor.log"), "a", 0o600);
  const argument = JSON.stringify({ home, isolation, addresses, entries, temporal });
  const child = spawn(command, [...args, argument], { detached: true, stdio: ["ignore", log, log, "ipc"], cwd: "/" });
  closeSync(log);
  options.signal?.addEventListener("abort", () => child.kill("SIGTERM"));
  try {
    return await untilReady(child, options.onProgress);
  } finally {
    if (child.connected) child.disconnect();
    child.unref();
  }
}

/** The message that carries an error to the command that started the supervisor. */
export function failureMessage(error: unknown): SupervisorMessage {
  if (isForewarmError(error)) return { kind: "failed", code: error.code, message: error.message, cure: error.cure };
  return { kind: "failed", code: "INVARIANT", message: error instanceof Error ? error.message : String(error) };
}

async function untilReady(child: ChildProcess, onProgress: (line: string) => void): Promise<StackState> {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => reject(endedEarly(signal ?? `exit code ${code}`)));
    child.on("message", (raw) => {
      const message = messageSchema.parse(raw);
      if (message.kind === "progress") onProgress(message.line);
      else if (message.kind === "ready") resolve(message.info);
      else reject(asError(message));
    });
  });
}

function asError({ code, message, cure }: Extract<SupervisorMessage, { kind: "failed" }>): ForewarmError {
  return new ForewarmError(isCode(code) ? code : "INVARIANT", message, cure === undefined ? {} : { cure });
}

function isCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorCatalogue, code);
}

function endedEarly(how: string): ForewarmError {
  return new ForewarmError("CANCELLED", `the supervisor ended (${how}) before the stack was ready`);
}
