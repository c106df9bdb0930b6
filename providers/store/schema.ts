import type { Generated, JSONColumnType } from "kysely";
import type { HostEndpoint } from "../../domain/host/host-endpoint.ts";
import type { ClaimRow, DecisionRow, EventRow, ForecastRow, HostRow, LeadTimeRow } from "./store.ts";

/** Rows that are read page by page: the number grows with every insert and is the cursor. */
interface Numbered {
  number: Generated<number>;
}

interface HostTable extends Omit<HostRow, "endpoint"> {
  endpoint: JSONColumnType<HostEndpoint | null>;
  /** A removed host stays as a mark, so that a late repetition of an old row does not bring it back. */
  removed: boolean;
}

interface ForecastTable extends Omit<ForecastRow, "quantiles" | "values">, Numbered {
  quantiles: JSONColumnType<number[]>;
  values: JSONColumnType<number[][]>;
}

interface EventTable extends Omit<EventRow, "detail">, Numbered {
  detail: JSONColumnType<Record<string, unknown>>;
}

/** The tables; columns are the snake_case of these names. */
export interface StoreTables {
  /** `samples[i]` belongs to slot `chunk * samplesPerChunk + i`; slot s begins at s * stepMs. */
  demandChunks: { fleet: string; stepMs: number; chunk: number; samples: (number | null)[] };
  leadTimes: LeadTimeRow & Numbered;
  hosts: HostTable;
  claims: ClaimRow & Numbered;
  forecasts: ForecastTable;
  decisions: DecisionRow & Numbered;
  events: EventTable;
  blobs: { sha256: string; chunkCount: number };
  /** Keyed by the chunk count too, so that two senders who cut a blob differently do not mix. */
  blobChunks: { sha256: string; chunkCount: number; chunk: number; content: Buffer };
}
