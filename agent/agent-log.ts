import { appendFileSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { logPath, rotateLog } from "./application-log.ts";

/** Appends one JSON line to the agent's own log. */
export type AgentLog = (message: string, detail: Record<string, unknown>) => void;

export function createAgentLog(stateFolder: string, now: () => number): AgentLog {
  const path = logPath(stateFolder, "agent");
  mkdirSync(dirname(path), { recursive: true });
  return (message, detail) => {
    const line = `${JSON.stringify({ time: now(), pid: process.pid, message, ...detail })}\n`;
    try {
      rotateLog(path);
      appendFileSync(path, line);
    } catch {
      // A log that cannot be written, as on a full disk, must not end the agent; its starter may see the line.
      process.stderr.write(line);
    }
  };
}
