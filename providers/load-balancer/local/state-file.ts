import { open, readFile, rename, type FileHandle } from "node:fs/promises";
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

/**
 * Replaces the file as a whole: after a crash it holds the old or the new state, never a part.
 * Throws DISK_FULL when there is no room for it.
 */
export async function writeStateFile(path: string, fleets: SavedFleet[]): Promise<void> {
  try {
    const next = `${path}.next`;
    await withFile(next, "w", async (file) => {
      await file.writeFile(JSON.stringify({ version: 1, fleets }));
      await file.sync();
    });
    await rename(next, path);
    await withFile(dirname(path), "r", (folder) => folder.sync());
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code !== "ENOSPC" && code !== "EDQUOT") throw cause;
    throw new ForewarmError("DISK_FULL", `no room for the load balancer's state in ${path}`, { cause });
  }
}

async function withFile(path: string, flags: string, use: (file: FileHandle) => Promise<void>): Promise<void> {
  const file = await open(path, flags, 0o600);
  try {
    await use(file);
  } finally {
    await file.close();
  }
}
