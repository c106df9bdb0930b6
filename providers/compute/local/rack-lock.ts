import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { ForewarmError } from "../../../domain/errors.ts";
import { isAlive, readProcess } from "./process-table.ts";

const ownerSchema = z.object({ pid: z.number().int(), startedAt: z.string() });

async function readOwner(path: string): Promise<z.infer<typeof ownerSchema> | null> {
  try {
    return ownerSchema.parse(JSON.parse(await readFile(path, "utf8")));
  } catch {
    // A missing or torn file names no living owner.
    return null;
  }
}

/**
 * Makes this process the only rack of a state folder; throws HOME_IN_USE while another one lives.
 * A file left by a killed rack is taken over. Returns the function that gives the folder up.
 */
export async function lockHome(home: string): Promise<() => Promise<void>> {
  await mkdir(home, { recursive: true, mode: 0o700 });
  const path = join(home, "rack.pid");
  const owner = await readOwner(path);
  if (owner && owner.pid !== process.pid && isAlive(owner))
    throw new ForewarmError("HOME_IN_USE", `the rack with pid ${owner.pid} uses ${home}`);
  const self = readProcess(process.pid);
  await writeFile(path, JSON.stringify({ pid: process.pid, startedAt: self?.startedAt ?? "" }));
  return () => rm(path, { force: true });
}
