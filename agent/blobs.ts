import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ForewarmError } from "../domain/errors.ts";
import { limits } from "../domain/limits.ts";
import { syncPath } from "./durable-file.ts";

const chunksMax = Math.ceil(limits.blobRunBytesMax / limits.blobChunkBytesMax);
const staleAfterMs = 24 * 3600 * 1000;

export interface BlobChunk {
  sha256: string;
  index: number;
  count: number;
  /** Base64. */
  content: string;
}

export interface Blobs {
  has(sha256: string): Promise<boolean>;
  pathOf(sha256: string): string;
  /** Keeps one chunk; true once the whole content is there. Chunks may come in any order and more than once. */
  put(chunk: BlobChunk): Promise<boolean>;
  remove(sha256: string): Promise<void>;
  /** Removes content that has waited for more than a day; whoever still wants it sends it again. */
  removeStale(): Promise<void>;
}

/** Content that waits to be installed, by its digest. */
export async function openBlobs(stateFolder: string, now: () => number): Promise<Blobs> {
  const folder = join(stateFolder, "blobs");
  await mkdir(folder, { recursive: true });
  const pathOf = (sha256: string) => join(folder, sha256);
  const chunkPath = (sha256: string, index: number) => join(folder, `${sha256}.${index}.part`);
  const has = async (sha256: string) => (await stat(pathOf(sha256)).catch(() => null)) !== null;

  return {
    has,
    pathOf,
    async put(chunk) {
      if (await has(chunk.sha256)) return true;
      await writeFile(chunkPath(chunk.sha256, chunk.index), readContent(chunk));
      const parts = Array.from({ length: chunk.count }, (_, index) => chunkPath(chunk.sha256, index));
      const contents = await Promise.all(parts.map((part) => readFile(part).catch(() => null)));
      if (contents.some((content) => content === null)) return false;
      for (const part of parts) await rm(part, { force: true });
      await keepWhole(pathOf(chunk.sha256), chunk.sha256, Buffer.concat(contents.filter((held) => held !== null)));
      return true;
    },
    remove: (sha256) => rm(pathOf(sha256), { force: true }),
    async removeStale() {
      for (const name of await readdir(folder)) {
        const { mtimeMs } = await stat(join(folder, name));
        if (now() - mtimeMs > staleAfterMs) await rm(join(folder, name), { force: true });
      }
    },
  };
}

function readContent({ sha256, index, count, content }: BlobChunk): Buffer {
  const bytes = Buffer.from(content, "base64");
  const fits = index >= 0 && index < count && count <= chunksMax && bytes.length <= limits.blobChunkBytesMax;
  if (fits) return bytes;
  throw new ForewarmError("INVALID_REQUEST", `${sha256}: chunk ${index} of ${count} with ${bytes.length} bytes`);
}

async function keepWhole(path: string, sha256: string, content: Buffer): Promise<void> {
  const found = createHash("sha256").update(content).digest("hex");
  if (found !== sha256) throw new ForewarmError("DIGEST_MISMATCH", `content sent as ${sha256} has digest ${found}`);
  await writeFile(`${path}.whole`, content);
  await syncPath(`${path}.whole`);
  await rename(`${path}.whole`, path);
}
