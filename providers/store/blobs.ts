import { createHash } from "node:crypto";
import type { Kysely, Transaction } from "kysely";
import { ForewarmError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import type { StoreTables } from "./schema.ts";
import type { Store } from "./store.ts";

type Chunk = Parameters<Store["keepBlobChunk"]>[0];

function refused(chunk: Chunk, reason: string): ForewarmError {
  return new ForewarmError("BLOB_INVALID", `blob ${chunk.sha256}, chunk ${chunk.index} of ${chunk.count}: ${reason}`);
}

function checkChunk(chunk: Chunk): void {
  const { sha256, index, count, content } = chunk;
  if (!/^[0-9a-f]{64}$/.test(sha256)) throw refused(chunk, "the name is not a SHA-256 in lower-case hexadecimal");
  if (!Number.isInteger(count) || count < 1 || count > limits.blobChunksMax) {
    throw refused(chunk, `the chunk count must be 1 to ${limits.blobChunksMax}`);
  }
  if (!Number.isInteger(index) || index < 0 || index >= count) {
    throw refused(chunk, `the index must be 0 to ${count - 1}`);
  }
  if (content.byteLength > limits.blobChunkBytesMax) {
    throw refused(chunk, `${content.byteLength} bytes are more than ${limits.blobChunkBytesMax}`);
  }
}

async function readChunks(db: Kysely<StoreTables>, sha256: string, chunkCount: number): Promise<Buffer[]> {
  const rows = await db
    .selectFrom("blobChunks")
    .select("content")
    .where("sha256", "=", sha256)
    .where("chunkCount", "=", chunkCount)
    .orderBy("chunk")
    .execute();
  return rows.map((row) => Buffer.from(row.content));
}

/**
 * Marks the blob as whole when this was its last chunk. Runs after the chunk was committed: of two senders who add the
 * last two chunks at once, at least one sees all of them. Returns false when the digest does not match.
 */
async function completeBlob(tx: Transaction<StoreTables>, { sha256, count }: Chunk): Promise<boolean> {
  const contents = await readChunks(tx, sha256, count);
  if (contents.length < count) return true;
  const hash = createHash("sha256");
  for (const content of contents) hash.update(content);
  if (hash.digest("hex") !== sha256) {
    await tx.deleteFrom("blobChunks").where("sha256", "=", sha256).where("chunkCount", "=", count).execute();
    return false;
  }
  await tx
    .insertInto("blobs")
    .values({ sha256, chunkCount: count })
    .onConflict((conflict) => conflict.column("sha256").doNothing())
    .execute();
  await tx.deleteFrom("blobChunks").where("sha256", "=", sha256).where("chunkCount", "!=", count).execute();
  return true;
}

async function chunksKept(db: Kysely<StoreTables>, { sha256, count }: Chunk): Promise<number> {
  const { kept } = await db
    .selectFrom("blobChunks")
    .select((query) => query.fn.countAll<number>().as("kept"))
    .where("sha256", "=", sha256)
    .where("chunkCount", "=", count)
    .executeTakeFirstOrThrow();
  return kept;
}

/** Content by SHA-256, sent in chunks in any order, each as often as needed. */
export function createBlobTable(db: Kysely<StoreTables>): Pick<Store, "missingBlobs" | "keepBlobChunk" | "blob"> {
  const whole = (sha256: string) =>
    db.selectFrom("blobs").select("chunkCount").where("sha256", "=", sha256).executeTakeFirst();
  return {
    missingBlobs: async (sha256) => {
      if (sha256.length === 0) return [];
      const rows = await db.selectFrom("blobs").select("sha256").where("sha256", "in", sha256).execute();
      const held = new Set(rows.map((row) => row.sha256));
      return [...new Set(sha256)].filter((digest) => !held.has(digest));
    },
    keepBlobChunk: async (chunk) => {
      checkChunk(chunk);
      if ((await whole(chunk.sha256)) !== undefined) return;
      await db
        .insertInto("blobChunks")
        .values({ sha256: chunk.sha256, chunkCount: chunk.count, chunk: chunk.index, content: chunk.content })
        .onConflict((conflict) =>
          conflict.columns(["sha256", "chunkCount", "chunk"]).doUpdateSet({ content: chunk.content }),
        )
        .execute();
      if ((await chunksKept(db, chunk)) < chunk.count) return;
      const matches = await db.transaction().execute((tx) => completeBlob(tx, chunk));
      if (!matches) throw refused(chunk, "the chunks together have another digest");
    },
    blob: async (sha256) => {
      const found = await whole(sha256);
      return found === undefined ? null : Buffer.concat(await readChunks(db, sha256, found.chunkCount));
    },
  };
}
