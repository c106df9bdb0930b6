import { join } from "node:path";
import { z } from "zod";
import { ForewarmError } from "../domain/errors.ts";

const schema = z.object({
  FOREWARM_HOME: z.string().min(1),
  TEMPORAL_ADDRESS: z.string().default("127.0.0.1:7233"),
  TEMPORAL_NAMESPACE: z.string().default("default"),
  FOREWARM_RACK_SOCKET: z.string().min(1),
  FOREWARM_LB_SOCKET: z.string().min(1),
  FOREWARM_FLEET_KEY: z.string().optional(),
  FOREWARM_STORE: z.string().optional(),
  FOREWARM_AGENT_BUNDLE: z.string().optional(),
  DATABASE_URL: z.string().min(1).optional(),
  FOREWARM_LOG_LEVEL: z.enum(["debug", "info", "warn", "error"]).default("info"),
});

export interface WorkerConfig {
  temporalAddress: string;
  namespace: string;
  rackSocket: string;
  loadBalancerSocket: string;
  /** Private SSH key with which workers log in to hosts; its public half stands beside it as `.pub`. */
  fleetKeyPath: string;
  /** Folder of the embedded store; unused with a database URL. */
  storeDirectory: string;
  databaseUrl: string | null;
  /** Agent bundle other than the built one. */
  agentBundlePath: string | null;
  logLevel: "debug" | "info" | "warn" | "error";
}

/** Reads the worker's settings; the only place of this process that looks at the environment. Throws USAGE. */
export function readWorkerConfig(environment: NodeJS.ProcessEnv = process.env): WorkerConfig {
  const parsed = schema.safeParse(environment);
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
    throw new ForewarmError("USAGE", `the worker's environment is incomplete: ${problems.join("; ")}`);
  }
  const env = parsed.data;
  return {
    temporalAddress: env.TEMPORAL_ADDRESS,
    namespace: env.TEMPORAL_NAMESPACE,
    rackSocket: env.FOREWARM_RACK_SOCKET,
    loadBalancerSocket: env.FOREWARM_LB_SOCKET,
    fleetKeyPath: env.FOREWARM_FLEET_KEY ?? join(env.FOREWARM_HOME, "keys", "fleet_ed25519"),
    storeDirectory: env.FOREWARM_STORE ?? join(env.FOREWARM_HOME, "store"),
    databaseUrl: env.DATABASE_URL ?? null,
    agentBundlePath: env.FOREWARM_AGENT_BUNDLE ?? null,
    logLevel: env.FOREWARM_LOG_LEVEL,
  };
}
