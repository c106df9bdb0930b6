import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { adopt, findOnPath } from "./executable.ts";
import type { Rung, RungContext, RungOutcome } from "./rung.ts";

/** The newest CLI that `go install` can build: later ones depend on a module that is not published. */
export const buildableVersion = "v1.5.1";

const run = promisify(execFile);
const buildTimeoutMs = 20 * 60_000;
const progressEveryMs = 10_000;
const outputBytesMax = 16 * 1024 * 1024;

/** Builds the CLI with Go into the cache. */
export const goBuildRung: Rung = {
  name: "go install",
  async tryRung(context) {
    const go = findOnPath("go", context.environment["PATH"]);
    if (go === null) return { said: "no go on PATH" };
    await mkdir(context.cacheFolder, { recursive: true });
    const folder = await mkdtemp(join(context.cacheFolder, "build-"));
    try {
      return await build(go, folder, context);
    } catch (error) {
      context.signal.throwIfAborted();
      return { said: `the build failed: ${lastLine(error)}` };
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};

async function build(go: string, folder: string, context: RungContext): Promise<RungOutcome> {
  const stopProgress = reportProgress(context);
  try {
    const target = `github.com/temporalio/cli/cmd/temporal@${buildableVersion}`;
    await run(go, ["install", "-trimpath", "-ldflags", "-s -w", target], {
      env: buildEnvironment(folder, context),
      cwd: folder,
      timeout: buildTimeoutMs,
      maxBuffer: outputBytesMax,
      signal: context.signal,
    });
  } finally {
    stopProgress();
  }
  return adopt(join(folder, "temporal"), context);
}

function buildEnvironment(folder: string, { environment }: RungContext): NodeJS.ProcessEnv {
  const flags = `${environment["GOFLAGS"] ?? ""} -modcacherw`.trim();
  return { ...environment, CGO_ENABLED: "0", GOBIN: folder, GOFLAGS: flags };
}

function reportProgress({ onProgress, nowMs }: RungContext): () => void {
  const startedMs = nowMs();
  const report = (): void => onProgress(progressLine(nowMs() - startedMs));
  report();
  const timer = setInterval(report, progressEveryMs);
  return () => clearInterval(timer);
}

/** The line that says how long the build has been running. */
export function progressLine(elapsedMs: number): string {
  const seconds = Math.round(elapsedMs / 1000);
  const elapsed = seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `building Temporal CLI ${buildableVersion} with Go: ${elapsed}, usually 3-5 min, once`;
}

// Go prints what it downloads first and what went wrong last.
function lastLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.trim().split("\n").at(-1) ?? message;
}
