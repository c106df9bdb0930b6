import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readClientConfig } from "../../client/config.ts";
import { openSession, type Session } from "../../client/session.ts";
import { readEmbeddedConfig } from "../../embedded/config.ts";
import { freePort } from "../../embedded/free-port.ts";
import { readStack } from "../../embedded/stack-state.ts";
import { waitForTemporal } from "../../embedded/temporal-server/health.ts";
import { resolveTemporal, rungContext } from "../../embedded/temporal-server/resolve.ts";
import { searchAttributes } from "../../embedded/temporal-server/start.ts";
import { builtProgram, forewarm, plainEnvironment } from "./program.ts";

const plainServerDeadlineMs = 60_000;

/** An embedded stack with a home of its own, brought up as users do it. */
export interface MeasuredStack {
  home: string;
  environment: NodeJS.ProcessEnv;
  session: Session;
  signingKeyPath: string;
  /** A process of the stack as it is now. */
  processOf: (name: string) => { pid: number; ready: boolean };
}

interface StackOptions {
  /** False starts the Temporal server without the flags that the stack gives it. */
  serverFlags: boolean;
  note: (text: string) => void;
}

/** A Temporal dev server without tuning; it has the search attributes, without which no fleet can start. */
async function startPlainServer(home: string, note: StackOptions["note"]): Promise<[ChildProcess, string]> {
  const { environment, cacheFolder } = readEmbeddedConfig();
  const signal = AbortSignal.timeout(plainServerDeadlineMs);
  const context = rungContext({
    environment: { ...environment, TEMPORAL_ADDRESS: "" },
    cacheFolder,
    onProgress: note,
    signal,
  });
  const { server } = await resolveTemporal(context);
  if (server.kind !== "executable") throw new Error("a plain Temporal server needs its program");
  const port = await freePort();
  const attributes = Object.entries(searchAttributes).flatMap(([name, type]) => [
    "--search-attribute",
    `${name}=${type}`,
  ]);
  const words = ["server", "start-dev", "--headless", "--ip=127.0.0.1", `--port=${port}`, "--log-level=error"];
  const child = spawn(server.path, [...words, `--db-filename=${join(home, "plain.db")}`, ...attributes], {
    stdio: "ignore",
  });
  const address = `127.0.0.1:${port}`;
  await waitForTemporal(address, signal);
  return [child, address];
}

async function open(home: string, environment: NodeJS.ProcessEnv): Promise<MeasuredStack> {
  const session = await openSession(readClientConfig({ ...environment, TEMPORAL_ADDRESS: "" }));
  const stack = readStack(home);
  if (stack === null) throw new Error(`no stack runs in ${home}`);
  const processOf: MeasuredStack["processOf"] = (name) => {
    const found = readStack(home)?.processes.find((candidate) => candidate.name === name);
    if (found === undefined) throw new Error(`the stack has no process ${name}`);
    return found;
  };
  return { home, environment, session, signingKeyPath: stack.keys.signingKey, processOf };
}

/** Brings a stack up, works with it, and takes it down again, also after a failure, Ctrl-C or SIGTERM. */
export async function withStack<Answer>(
  options: StackOptions,
  work: (stack: MeasuredStack) => Promise<Answer>,
): Promise<Answer> {
  const home = mkdtempSync(join(tmpdir(), "forewarm-bench-"));
  let environment = plainEnvironment({ FOREWARM_HOME: home });
  let server: ChildProcess | null = null;
  const endAtOnce = (): void => {
    spawnSync(process.execPath, [builtProgram("client/cli.js"), "down"], { env: environment });
    server?.kill("SIGKILL");
    rmSync(home, { recursive: true, force: true });
    process.exit(130);
  };
  const endAfterError = (error: unknown): void => {
    options.note(error instanceof Error ? (error.stack ?? error.message) : String(error));
    endAtOnce();
  };
  process.once("SIGINT", endAtOnce).once("SIGTERM", endAtOnce).once("uncaughtException", endAfterError);
  try {
    if (!options.serverFlags) {
      const [child, address] = await startPlainServer(home, options.note);
      server = child;
      environment = { ...environment, TEMPORAL_ADDRESS: address };
    }
    const up = await forewarm(["up", "--detach"], environment);
    if (up.exitCode !== 0) throw new Error(`forewarm up failed:\n${up.stderr}`);
    options.note(`stack up in ${(up.durationMs / 1000).toFixed(1)} s`);
    const stack = await open(home, environment);
    try {
      return await work(stack);
    } finally {
      await stack.session.close();
    }
  } finally {
    const down = await forewarm(["down"], environment);
    if (down.exitCode !== 0) options.note(`forewarm down failed, ${home} is kept:\n${down.stderr}`);
    if (server !== null && server.exitCode === null) {
      server.kill("SIGTERM");
      await once(server, "exit");
    }
    if (down.exitCode === 0) rmSync(home, { recursive: true, force: true });
    process.off("SIGINT", endAtOnce).off("SIGTERM", endAtOnce).off("uncaughtException", endAfterError);
  }
}
