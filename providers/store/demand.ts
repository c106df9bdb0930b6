import { type Kysely, sql } from "kysely";
import { limits } from "../../domain/limits.ts";
import type { StoreTables } from "./schema.ts";
import type { DemandSeries, Store } from "./store.ts";

/**
 * Samples are kept as arrays: 128 of them fill one row of about a kibibyte, below the size at which Postgres moves a
 * value out of its row, and a read of hours is a few dozen rows.
 */
const samplesPerChunk = 128;
const chunksPerInsertMax = 200;

interface Chunk {
  fleet: string;
  stepMs: number;
  chunk: number;
  samples: (number | null)[];
}

/** Lays a series out in chunks of the fixed grid; chunks without a known sample are left out. */
function chunksOf(series: DemandSeries): Chunk[] {
  const firstSlot = Math.floor(series.startMs / series.stepMs);
  const chunks = new Map<number, Chunk>();
  series.values.forEach((value, index) => {
    if (value === null) return;
    const slot = firstSlot + index;
    const number = Math.floor(slot / samplesPerChunk);
    const chunk = chunks.get(number) ?? emptyChunk(series, number);
    chunk.samples[slot - number * samplesPerChunk] = value;
    chunks.set(number, chunk);
  });
  return [...chunks.values()];
}

function emptyChunk({ fleet, stepMs }: DemandSeries, chunk: number): Chunk {
  return { fleet, stepMs, chunk, samples: Array.from({ length: samplesPerChunk }, () => null) };
}

/** One statement a chunk set, so that two writers of one chunk add up instead of overwriting each other. */
async function upsertChunks(db: Kysely<StoreTables>, chunks: Chunk[]): Promise<void> {
  await db
    .insertInto("demandChunks")
    .values(chunks)
    .onConflict((conflict) =>
      conflict.columns(["fleet", "stepMs", "chunk"]).doUpdateSet({
        samples: sql`(select array_agg(coalesce(new_sample, old_sample) order by position)
          from unnest(excluded.samples, demand_chunks.samples) with ordinality as slots (new_sample, old_sample, position))`,
      }),
    )
    .execute();
}

/** The slots `first..last` as a grid that begins at the first known sample. */
function gridOf(chunks: { chunk: number; samples: (number | null)[] }[], [first, last]: [number, number]) {
  const values = Array.from<number | null>({ length: last - first + 1 }).fill(null);
  for (const { chunk, samples } of chunks) {
    samples.forEach((sample, index) => {
      const slot = chunk * samplesPerChunk + index;
      if (slot >= first && slot <= last) values[slot - first] = sample;
    });
  }
  const known = values.findIndex((value) => value !== null);
  return known === -1 ? { firstSlot: last + 1, values: [] } : { firstSlot: first + known, values: values.slice(known) };
}

/**
 * Demand on the absolute grid of its step: a sample belongs to the slot `floor(time / step)`, and each step is a series
 * of its own. A read ends at the slot of `toMs`, known or not, and begins at the first known sample.
 */
export function createDemandTable(db: Kysely<StoreTables>): Pick<Store, "keepDemand" | "demand"> {
  return {
    keepDemand: async (series) => {
      const chunks = chunksOf(series);
      for (let start = 0; start < chunks.length; start += chunksPerInsertMax) {
        await upsertChunks(db, chunks.slice(start, start + chunksPerInsertMax));
      }
    },
    demand: async ({ fleet, toMs, stepMs, count }) => {
      const last = Math.floor(toMs / stepMs);
      const first = last - Math.min(count, limits.demandSamplesPerReadMax) + 1;
      const chunks = await db
        .selectFrom("demandChunks")
        .select(["chunk", "samples"])
        .where("fleet", "=", fleet)
        .where("stepMs", "=", stepMs)
        .where("chunk", ">=", Math.floor(first / samplesPerChunk))
        .where("chunk", "<=", Math.floor(last / samplesPerChunk))
        .execute();
      const { firstSlot, values } = gridOf(chunks, [first, last]);
      return { fleet, startMs: firstSlot * stepMs, stepMs, values };
    },
  };
}
