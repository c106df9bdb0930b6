import { existsSync } from "node:fs";
import { cachedExecutable, findOnPath, tryExecutable } from "./executable.ts";
import type { Rung } from "./rung.ts";

/** A server that runs already: nothing is started. */
export const addressRung: Rung = {
  name: "TEMPORAL_ADDRESS",
  async tryRung({ environment }) {
    const address = environment["TEMPORAL_ADDRESS"];
    return address ? { server: { kind: "address", address } } : { said: "not set" };
  },
};

export const namedExecutableRung: Rung = {
  name: "TEMPORAL_CLI_PATH",
  async tryRung(context) {
    const path = context.environment["TEMPORAL_CLI_PATH"];
    return path ? tryExecutable(path, context) : { said: "not set" };
  },
};

export const pathRung: Rung = {
  name: "temporal on PATH",
  async tryRung(context) {
    const path = findOnPath("temporal", context.environment["PATH"]);
    return path === null ? { said: "none" } : tryExecutable(path, context);
  },
};

export const cacheRung: Rung = {
  name: "cache",
  async tryRung(context) {
    const path = cachedExecutable(context.cacheFolder);
    return existsSync(path) ? tryExecutable(path, context) : { said: `no ${path}` };
  },
};
