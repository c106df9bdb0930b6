import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { z } from "zod";
import { homePaths } from "./home.ts";
import { isAlive } from "./process-identity.ts";

const identity = { pid: z.number().int().positive(), startTime: z.string() };

const processSchema = z.object({
  name: z.string(),
  ...identity,
  ready: z.boolean(),
  restarts: z.number().int(),
});

/** What `<home>/run/stack.json` holds: how to reach a stack, and the processes to end when its supervisor is gone. */
export const stackStateSchema = z.object({
  version: z.literal(1),
  ...identity,
  /** All processes have become ready once. */
  ready: z.boolean(),
  temporalAddress: z.string(),
  /** Null when Temporal is not ours. */
  uiUrl: z.string().nullable(),
  ports: z.object({ temporal: z.number().int(), ui: z.number().int() }).nullable(),
  sockets: z.object({ rack: z.string(), loadBalancer: z.string() }),
  keys: z.object({
    fleetKey: z.string(),
    fleetPublicKey: z.string(),
    signingKey: z.string(),
    signingPublicKey: z.string(),
  }),
  store: z.string(),
  /** What the rack uses, "bwrap" or "none"; what was asked for until it is ready. */
  isolation: z.string(),
  processes: z.array(processSchema),
});
export type StackState = z.infer<typeof stackStateSchema>;

/** The stack of a home whose supervisor runs, or null. */
export function readStack(home: string): StackState | null {
  const state = readJournal(home);
  return state !== null && isAlive(state) ? state : null;
}

/** The journal of a home, whoever wrote it; null when there is none or it is unreadable. */
export function readJournal(home: string): StackState | null {
  try {
    return stackStateSchema.parse(JSON.parse(readFileSync(homePaths(home).state, "utf8")));
  } catch {
    return null;
  }
}

/** Replaces the journal of a home at once. */
export function writeJournal(home: string, state: StackState): void {
  const { state: path } = homePaths(home);
  writeFileSync(`${path}.draft`, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${path}.draft`, path);
}

export function removeJournal(home: string): void {
  rmSync(homePaths(home).state, { force: true });
}
