import type { HostEndpoint } from "../../domain/host/host-endpoint.ts";

/** A regular grid: `values[i]` belongs to `startMs + i * stepMs`; null marks a gap. */
export interface DemandSeries {
  fleet: string;
  startMs: number;
  stepMs: number;
  values: (number | null)[];
}

export interface LeadTimeRow {
  fleet: string;
  hostId: string;
  /** A bootstrap phase, or `total` for decision to standby. */
  phase: string;
  seconds: number;
  outcome: "ok" | "failed" | "compensated";
  atMs: number;
}

export interface HostRow {
  fleet: string;
  hostId: string;
  endpoint: HostEndpoint | null;
  state: string;
  epoch: number;
  digest: string;
  /** Launch batch of the host, so that what it holds can be found again. */
  requestId: string;
  ordinal: number;
  atMs: number;
  /** Rows are upserted by version: an older one never overwrites a newer one. */
  version: number;
}

export interface ClaimRow {
  fleet: string;
  claimId: string;
  /** Empty for a withdrawn claim. */
  hostId: string;
  /** `warm` when granted from standby at once, `waited` when granted later, `withdrawn` when no longer wanted. */
  kind: "warm" | "waited" | "withdrawn";
  requestedAtMs: number;
  /** When it was granted or withdrawn. */
  grantedAtMs: number;
  /** Epoch the host held, and the golden epoch, when it was granted. */
  epoch: number;
  goldenEpoch: number;
  /** When the host had last been verified; 0 for a withdrawn claim. */
  readyAtMs: number;
}

export interface ForecastRow {
  fleet: string;
  madeAtMs: number;
  stepMs: number;
  model: string;
  quantiles: number[];
  /** `values[h][q]`: quantile q of demand at step h + 1 ahead. */
  values: number[][];
}

export interface DecisionRow {
  fleet: string;
  atMs: number;
  demand: number | null;
  servingTarget: number;
  standbyTarget: number;
  serving: number;
  standby: number;
  bootstrapping: number;
  explanation: string;
}

export interface EventRow {
  fleet: string;
  hostId: string | null;
  kind: string;
  message: string;
  detail: Record<string, unknown>;
  atMs: number;
}

/** One page, oldest first; `next` is the cursor of the following page, null at the end. */
export interface Page<Row> {
  rows: Row[];
  next: number | null;
}

export interface PageRequest {
  fleet: string;
  after?: number;
  limit?: number;
}

/**
 * What happened, for forecasts, reports and people. Workflow state is the truth; tables are projections of it.
 * All writes can be repeated. Errors: STORE_UNREACHABLE, STORE_LOCKED, BLOB_INVALID, DISK_FULL.
 */
export interface Store {
  /** Upserts samples on their grid; null values are left as they are. */
  keepDemand(series: DemandSeries): Promise<void>;
  /**
   * The newest samples at or before `toMs`, as a grid with gaps marked, at most `count` long: it ends at the slot of
   * `toMs`, known or not, and begins at the first known sample; without any it is empty.
   */
  demand(query: { fleet: string; toMs: number; stepMs: number; count: number }): Promise<DemandSeries>;
  keepLeadTimes(rows: LeadTimeRow[]): Promise<void>;
  /** The newest `limit` successful durations of one phase, newest first, in seconds. */
  leadTimeSeconds(query: { fleet: string; phase: string; limit: number }): Promise<number[]>;
  keepHost(row: HostRow): Promise<void>;
  host(fleet: string, hostId: string): Promise<HostRow | null>;
  hosts(fleet: string): Promise<HostRow[]>;
  removeHost(fleet: string, hostId: string): Promise<void>;
  /** Keeps the first answer of each claim for ever; gives what is kept for each row, in order. */
  keepClaims(rows: ClaimRow[]): Promise<ClaimRow[]>;
  claims(request: PageRequest): Promise<Page<ClaimRow>>;
  keepForecast(row: ForecastRow): Promise<void>;
  forecasts(request: PageRequest): Promise<Page<ForecastRow>>;
  latestForecast(fleet: string): Promise<ForecastRow | null>;
  keepDecision(row: DecisionRow): Promise<void>;
  decisions(request: PageRequest): Promise<Page<DecisionRow>>;
  keepEvent(row: EventRow): Promise<void>;
  events(request: PageRequest): Promise<Page<EventRow>>;
  leadTimes(request: PageRequest): Promise<Page<LeadTimeRow>>;
  /** Digests, of those given, that the store does not hold whole. */
  missingBlobs(sha256: string[]): Promise<string[]>;
  /** Adds one chunk; the blob exists once all chunks are there and their digest matches, else BLOB_INVALID. */
  keepBlobChunk(chunk: { sha256: string; index: number; count: number; content: Buffer }): Promise<void>;
  blob(sha256: string): Promise<Buffer | null>;
  close(): Promise<void>;
}
