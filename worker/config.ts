import { join } from "node:path";
import { type ClientConnectConfig, loadClientConnectConfig } from "@temporalio/envconfig";
import { z } from "zod";
import { ForewarmError } from "../domain/errors.ts";

const schema = z.object({
  FOREWARM_HOME: z.string().min(1),
  TEMPORAL_ADDRESS: z.string().optional(),
  FOREWARM_TEMPORAL: z.enum(["embedded", "own"]).default("own"),
  FOREWARM_RACK_SOCKET: z.string().min(1),
  FOREWARM_LB_SOCKET: z.string().min(1),
  FOREWARM_FLEET_KEY: z.string().optional(),
  FOREWARM_STORE: z.string().optional(),
  FOREWARM_AGENT_BUNDLE: z.string().optional(),
  DATABASE_URL: z.string().optional(),
  FOREWARM_LOG_LEVEL: z.enum(["debug", "info", "warn", "error"]).default("info"),
});

export interface WorkerConfig {
  /** How to reach the server: an embedded one by its address alone, one's own with the credentials of its profile. */
  temporal: Required<ClientConnectConfig>;
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

/** A profile or API key in the environment is for a server of one's own; the embedded one speaks plain text. */
function temporalOf({
  TEMPORAL_ADDRESS: address,
  FOREWARM_TEMPORAL: kind,
}: z.infer<typeof schema>): Required<ClientConnectConfig> {
  const profile: ClientConnectConfig = kind === "own" ? loadClientConnectConfig() : { connectionOptions: {} };
  const { connectionOptions, namespace } = profile;
  const server = address || connectionOptions.address || "127.0.0.1:7233";
  return { connectionOptions: { ...connectionOptions, address: server }, namespace: namespace ?? "default" };
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
    temporal: temporalOf(env),
    rackSocket: env.FOREWARM_RACK_SOCKET,
    loadBalancerSocket: env.FOREWARM_LB_SOCKET,
    fleetKeyPath: env.FOREWARM_FLEET_KEY ?? join(env.FOREWARM_HOME, "keys", "fleet_ed25519"),
    storeDirectory: env.FOREWARM_STORE ?? join(env.FOREWARM_HOME, "store"),
    databaseUrl: env.DATABASE_URL || null,
    agentBundlePath: env.FOREWARM_AGENT_BUNDLE ?? null,
    logLevel: env.FOREWARM_LOG_LEVEL,
  };
}
