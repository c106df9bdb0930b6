import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ForewarmError } from "../domain/errors.ts";
import type { AgentApplication } from "../schema/agent-protocol.ts";
import { logPath, openLog } from "./application-log.ts";
import type { AgentConfig } from "./config.ts";

export interface Launch {
  config: AgentConfig;
  application: AgentApplication;
  /** The first application of a host answers at the port that the provider assigns. */
  isFirst: boolean;
}

/**
 * Starts an application in its own session, so that it outlives the agent. It records its pid itself, for an agent
 * that dies before it could. Throws COMMAND_FAILED when its folder does not exist.
 */
export async function launch({ config, application, isFirst }: Launch): Promise<ChildProcess> {
  const pidFile = pidFilePath(config.stateFolder, application.name);
  const log = openLog(logPath(config.stateFolder, application.name));
  mkdirSync(join(config.stateFolder, "run"), { recursive: true });
  try {
    const child = spawn("sh", ["-c", `echo $$ >"$0" && exec "$@"`, pidFile, ...application.command], {
      cwd: join(config.root || "/", application.directory),
      env: environmentOf(config, application, isFirst),
      detached: true,
      stdio: ["ignore", log, log],
    });
    await new Promise<void>((resolve, reject) => child.once("spawn", resolve).once("error", reject));
    child.unref();
    return child;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const message = `application ${application.name} cannot start in ${application.directory}: ${reason}`;
    throw new ForewarmError("COMMAND_FAILED", message, { cause: error });
  } finally {
    closeSync(log);
  }
}

/** The pid that an application recorded itself; null when it did not. */
export function recordedPid(stateFolder: string, application: string): number | null {
  try {
    const pid = Number(readFileSync(pidFilePath(stateFolder, application), "utf8"));
    return Number.isInteger(pid) && pid > 0 ? pid : null;
  } catch {
    return null;
  }
}

export function forgetPid(stateFolder: string, application: string): void {
  rmSync(pidFilePath(stateFolder, application), { force: true });
}

function environmentOf(config: AgentConfig, application: AgentApplication, isFirst: boolean): Record<string, string> {
  return {
    ...config.environment,
    FOREWARM_ADDRESS: config.address,
    FOREWARM_PORT: String((isFirst ? config.port : null) ?? application.port),
    FOREWARM_CONFIGURATION: join(config.stateFolder, "current"),
    ...application.environment,
  };
}

function pidFilePath(stateFolder: string, application: string): string {
  return join(stateFolder, "run", `${application}.pid`);
}
