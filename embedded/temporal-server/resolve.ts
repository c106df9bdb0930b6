import { ForewarmError } from "../../domain/errors.ts";
import type { Environment } from "../config.ts";
import { downloadRung, sdkDownloadEndpoint } from "./download.ts";
import { goBuildRung } from "./go-build.ts";
import { addressRung, cacheRung, namedExecutableRung, pathRung } from "./present.ts";
import type { Rung, RungContext, TemporalServer } from "./rung.ts";

/** The ways to a Temporal server, cheapest first. */
export const rungs: readonly Rung[] = [
  addressRung,
  namedExecutableRung,
  pathRung,
  cacheRung,
  downloadRung,
  goBuildRung,
];

/** A way that was tried in vain, and why. */
export interface TriedRung {
  name: string;
  said: string;
}

export interface ResolvedTemporal {
  server: TemporalServer;
  tried: TriedRung[];
}

/** A way that was not usable is told at once, unless it was merely not set or not there. */
const silent = /^(not set|none|no )/;

/** Climbs the ladder of `rungs`. Throws TEMPORAL_MISSING naming each way and what it said. */
export async function resolveTemporal(
  context: RungContext,
  ladder: readonly Rung[] = rungs,
): Promise<ResolvedTemporal> {
  const tried: TriedRung[] = [];
  for (const rung of ladder) {
    context.signal.throwIfAborted();
    const outcome = await rung.tryRung(context);
    if ("server" in outcome) return { server: outcome.server, tried };
    tried.push({ name: rung.name, said: outcome.said });
    if (!silent.test(outcome.said)) context.onProgress(`Temporal: ${rung.name}: ${outcome.said}`);
  }
  throw missing(tried);
}

/** A context with the real clock and the SDK's download endpoint. */
export function rungContext(options: {
  environment: Environment;
  cacheFolder: string;
  onProgress: (line: string) => void;
  signal: AbortSignal;
}): RungContext {
  return { ...options, downloadEndpoint: sdkDownloadEndpoint, nowMs: () => performance.now() };
}

function missing(tried: TriedRung[]): ForewarmError {
  const lines = tried.map(({ name, said }) => `  ${name}: ${said}`);
  return new ForewarmError(
    "TEMPORAL_MISSING",
    `no Temporal server was found; tried in this order:\n${lines.join("\n")}`,
  );
}
