import type { AgentConfig, CrashPoint } from "./config.ts";

export type Crash = (point: CrashPoint) => void;

/** In a drill, ends this process by SIGKILL at the configured point; otherwise does nothing. */
export function createCrash(config: Pick<AgentConfig, "crashAt">): Crash {
  return (point) => {
    if (config.crashAt === point) process.kill(process.pid, "SIGKILL");
  };
}
