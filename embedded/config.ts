import { homedir } from "node:os";
import { join, resolve } from "node:path";

export type Environment = Readonly<Record<string, string | undefined>>;

/** What the embedded stack takes from its environment. */
export interface EmbeddedConfig {
  /** State of the stack: FOREWARM_HOME, else the XDG state folder. */
  home: string;
  /** Where the Temporal CLI is kept, outside of any home: the XDG cache folder. */
  cacheFolder: string;
  /** The whole environment, handed on to the processes of the stack. */
  environment: Environment;
}

/** Reads FOREWARM_HOME, XDG_STATE_HOME and XDG_CACHE_HOME; empty values count as not set. */
export function readEmbeddedConfig(environment: Environment = process.env): EmbeddedConfig {
  const stateRoot = environment["XDG_STATE_HOME"] || join(homedir(), ".local", "state");
  const cacheRoot = environment["XDG_CACHE_HOME"] || join(homedir(), ".cache");
  return {
    home: resolve(environment["FOREWARM_HOME"] || join(stateRoot, "forewarm")),
    cacheFolder: resolve(cacheRoot, "forewarm"),
    environment,
  };
}
