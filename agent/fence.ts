import { join } from "node:path";
import { ForewarmError } from "../domain/errors.ts";
import { readJsonIfPresent, writeDurably } from "./durable-file.ts";
import { createFields } from "./fields.ts";

interface FenceRecord {
  fence: number;
  /** What was asked to be installed under this fence; null when it has been used for other operations only. */
  digest: string | null;
  /** Highest epoch ever accepted. */
  epochMax: number;
}

export interface Fence {
  highest(): FenceRecord;
  /** Admits an operation under a fence, on disk before it returns. Throws FENCE_REFUSED for a lower one. */
  admit(fence: number): Promise<void>;
  /** As `admit`, for an install; an equal fence admits only the digest it was first used for. */
  admitInstall(install: { fence: number; digest: string; epoch: number }): Promise<void>;
}

export async function openFence(stateFolder: string): Promise<Fence> {
  const path = join(stateFolder, "fence");
  let record = readRecord(await readJsonIfPresent(path));
  const save = async (next: FenceRecord) => {
    if (next.fence === record.fence && next.digest === record.digest && next.epochMax === record.epochMax) return;
    await writeDurably(path, JSON.stringify(next));
    record = next;
  };
  const refuseLower = (fence: number) => {
    if (fence >= record.fence) return;
    throw new ForewarmError("FENCE_REFUSED", `fence ${fence} is lower than ${record.fence}, the highest seen`);
  };
  return {
    highest: () => record,
    async admit(fence) {
      refuseLower(fence);
      await save({ ...record, fence, digest: fence === record.fence ? record.digest : null });
    },
    async admitInstall({ fence, digest, epoch }) {
      refuseLower(fence);
      if (fence === record.fence && record.digest !== null && record.digest !== digest) {
        throw new ForewarmError("FENCE_REFUSED", `fence ${fence} already stands for digest ${record.digest}`);
      }
      await save({ fence, digest, epochMax: Math.max(record.epochMax, epoch) });
    },
  };
}

function readRecord(value: unknown): FenceRecord {
  if (value === undefined) return { fence: 0, digest: null, epochMax: 0 };
  const fields = createFields("fence", value);
  return { fence: fields.integer("fence"), digest: fields.textOrNull("digest"), epochMax: fields.integer("epochMax") };
}
