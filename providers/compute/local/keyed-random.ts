import { createHash } from "node:crypto";
import { createSeededRandom } from "../../../domain/seeded-random.ts";

/** Uniform numbers over [0, 1) that depend on the key alone, not on the order of calls. */
export function createKeyedRandom(key: string): () => number {
  return createSeededRandom(createHash("sha256").update(key).digest().readUInt32LE(0));
}
