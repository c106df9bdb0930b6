import { resolve } from "node:path";
import { readEmbeddedConfig } from "../embedded/config.ts";
import type { Environment } from "../embedded/config.ts";

/** What the command line takes from its environment. */
export interface ClientConfig {
  /** State of the embedded stack, an absolute path. */
  home: string;
  /** Where the Temporal CLI is kept. */
  cacheFolder: string;
  /** Address of a Temporal server of one's own; null means that of the embedded stack. */
  temporalAddress: string | null;
  /** Address of a Postgres of one's own; null means the embedded store. */
  databaseUrl: string | null;
  /** Errors are printed with their stack and causes. */
  debug: boolean;
  environment: Environment;
}

/** Reads FOREWARM_HOME, the XDG folders, TEMPORAL_ADDRESS, DATABASE_URL and FOREWARM_DEBUG; empty counts as not set. */
export function readClientConfig(environment: Environment = process.env): ClientConfig {
  const { home, cacheFolder } = readEmbeddedConfig(environment);
  return {
    home,
    cacheFolder,
    temporalAddress: environment["TEMPORAL_ADDRESS"] || null,
    databaseUrl: environment["DATABASE_URL"] || null,
    debug: Boolean(environment["FOREWARM_DEBUG"]),
    environment,
  };
}

/** Makes `--home` the FOREWARM_HOME of this process and of all that it starts. */
export function useHome(folder: string): void {
  process.env["FOREWARM_HOME"] = resolve(folder);
}
