import { appendFileSync } from "node:fs";
import { logPath, rotateLog } from "./application-log.ts";

/** Appends one JSON line to the agent's own log. */
export type AgentLog = (message: string, detail: Record<string, unknown>) => void;

export function createAgentLog(stateFolder: string, now: () => number): AgentLog {
  const path = logPath(stateFolder, "agent");
  return (message, detail) => {
    rotateLog(path);
    appendFileSync(path, `${JSON.stringify({ time: now(), pid: process.pid, message, ...detail })}\n`);
  };
}
