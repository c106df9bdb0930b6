import { z } from "zod";
import { ForewarmError } from "../../../domain/errors.ts";

const configSchema = z.object({
  FOREWARM_LB_SOCKET: z.string().min(1),
  FOREWARM_LB_STATE: z.string().min(1),
  FOREWARM_LOG_LEVEL: z.enum(["fatal", "error", "warn", "info", "debug", "trace", "silent"]).default("info"),
});

export interface LoadBalancerConfig {
  /** Unix socket of the admin API. */
  socketPath: string;
  /** File that keeps the last synced state of every fleet. */
  stateFile: string;
  logLevel: string;
}

/** Reads FOREWARM_LB_SOCKET, FOREWARM_LB_STATE and FOREWARM_LOG_LEVEL. Throws USAGE naming what is missing. */
export function readLoadBalancerConfig(environment: NodeJS.ProcessEnv = process.env): LoadBalancerConfig {
  const parsed = configSchema.safeParse(environment);
  if (!parsed.success) {
    throw new ForewarmError("USAGE", `load balancer settings: ${z.prettifyError(parsed.error)}`, {
      cause: parsed.error,
    });
  }
  const { FOREWARM_LB_SOCKET, FOREWARM_LB_STATE, FOREWARM_LOG_LEVEL } = parsed.data;
  return { socketPath: FOREWARM_LB_SOCKET, stateFile: FOREWARM_LB_STATE, logLevel: FOREWARM_LOG_LEVEL };
}
