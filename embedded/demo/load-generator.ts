import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { ForewarmError } from "../../domain/errors.ts";
import type { LoadPlan, LoadProgress, LoadSummary } from "./load-plan.ts";
import { loadProgressSchema, loadSummarySchema } from "./load-plan.ts";

export interface Load {
  /** Settles when the last request was answered. */
  done: Promise<LoadSummary>;
  stop: () => void;
}

const isSource = import.meta.url.endsWith(".ts");
const entry = fileURLToPath(new URL(`./load-main.${isSource ? "ts" : "js"}`, import.meta.url));

/** Starts users' requests in a process of their own, so that what they measure is not the demo's own event loop. */
export function startLoad(plan: LoadPlan, onProgress: (progress: LoadProgress) => void): Load {
  const child = spawn(process.execPath, [...(isSource ? ["--import", "tsx"] : []), entry], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  child.stdin.end(JSON.stringify(plan));
  let summary: LoadSummary | null = null;
  createInterface({ input: child.stdout }).on("line", (line) => {
    const message: unknown = JSON.parse(line);
    const ended = loadSummarySchema.safeParse(message);
    if (ended.success) summary = ended.data;
    else onProgress(loadProgressSchema.parse(message));
  });
  const done = new Promise<LoadSummary>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => {
      if (summary !== null) resolve(summary);
      else
        reject(
          new ForewarmError(
            "COMMAND_FAILED",
            `the load generator ended with ${code ?? "a signal"} before its last request`,
          ),
        );
    });
  });
  return { done, stop: () => child.kill("SIGTERM") };
}
