import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { z } from "zod";
import { ForewarmError } from "../../../domain/errors.ts";

const zoneList = z
  .string()
  .transform((text) => text.split(",").map((zone) => zone.trim()))
  .pipe(z.array(z.string().regex(/^[a-z][a-z0-9-]{0,30}$/)).min(1));

const environmentSchema = z.object({
  /** State folder of the rack. */
  FOREWARM_RACK_HOME: z.string().min(1).default(join(homedir(), ".local/state/forewarm/rack")),
  /** Unix socket of the control API; default: rack.sock in the state folder. */
  FOREWARM_RACK_SOCKET: z.string().min(1).optional(),
  FOREWARM_RACK_ADDRESSES: z
    .enum(["loopback-range", "single"])
    .default(process.platform === "linux" ? "loopback-range" : "single"),
  FOREWARM_RACK_ISOLATION: z.enum(["auto", "bwrap", "none"]).default("auto"),
  /** Seed of boot delays and of failed launches. */
  FOREWARM_RACK_SEED: z.string().default("forewarm"),
  FOREWARM_RACK_ZONES: zoneList.default(["a", "b", "c"]),
  FOREWARM_RACK_HOSTS_PER_ZONE: z.coerce.number().int().min(1).default(1000),
  FOREWARM_LOG_LEVEL: z.enum(["fatal", "error", "warn", "info", "debug", "trace", "silent"]).default("warn"),
});

export interface RackConfig {
  home: string;
  socketPath: string;
  addresses: "loopback-range" | "single";
  isolation: "auto" | "bwrap" | "none";
  seed: string;
  zones: string[];
  hostsPerZone: number;
  logLevel: string;
}

/** Settings of the rack process; throws USAGE naming the variable that is wrong. */
export function readRackConfig(environment: NodeJS.ProcessEnv = process.env): RackConfig {
  const parsed = environmentSchema.safeParse(environment);
  if (!parsed.success) throw new ForewarmError("USAGE", z.prettifyError(parsed.error));
  const settings = parsed.data;
  const home = resolve(settings.FOREWARM_RACK_HOME);
  return {
    home,
    socketPath: resolve(settings.FOREWARM_RACK_SOCKET ?? join(home, "rack.sock")),
    addresses: settings.FOREWARM_RACK_ADDRESSES,
    isolation: settings.FOREWARM_RACK_ISOLATION,
    seed: settings.FOREWARM_RACK_SEED,
    zones: settings.FOREWARM_RACK_ZONES,
    hostsPerZone: settings.FOREWARM_RACK_HOSTS_PER_ZONE,
    logLevel: settings.FOREWARM_LOG_LEVEL,
  };
}
