import { open, readFile, rename } from "node:fs/promises";
import { dirname } from "node:path";
import { z } from "zod";
import { ForewarmError } from "../../../domain/errors.ts";
import { mirrorTargetSchema, stateSchema } from "./admin-protocol.ts";

const savedFleetSchema = z.object({
  state: stateSchema,
  /** Address in use, so that a restart comes back under it. */
  bound: z.object({ address: z.string(), port: z.number().int() }),
  /** When each backend began to take requests: slow start goes on where it was. */
  activeSinceMs: z.record(z.string(), z.number()),
  mirror: mirrorTargetSchema,
});
const savedStateSchema = z.object({ version: z.literal(1), fleets: z.array(savedFleetSchema) });

/** All that a restarted balancer needs of one fleet. */
export type SavedFleet = z.infer<typeof savedFleetSchema>;

/** Reads what was saved last, nothing when there is no file. Throws INVALID_REQUEST when it is no state of ours. */
export async function readStateFile(path: string): Promise<SavedFleet[]> {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return null;
    throw error;
  });
  if (text === null) return [];
  try {
    return savedStateSchema.parse(JSON.parse(text)).fleets;
  } catch (cause) {
    throw new ForewarmError("INVALID_REQUEST", `${path} holds no load balancer state`, {
      cause,
      cure: `Remove ${path}; the next sync of each fleet writes it anew.`,
    });
  }
}

/** Replaces the file as a whole: after a crash it holds the old or the new state, never a part. */
export async function writeStateFile(path: string, fleets: SavedFleet[]): Promise<void> {
  const next = `${path}.next`;
  const file = await open(next, "w", 0o600);
  try {
    await file.writeFile(JSON.stringify({ version: 1, fleets }));
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(next, path);
  const folder = await open(dirname(path), "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
