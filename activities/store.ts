import { limits } from "../domain/limits.ts";
import type { EventRow, Page, PageRequest, Store } from "../providers/store/store.ts";
import type {
  KeepBlobsAnswer,
  KeepBlobsRequest,
  KeepDemandRequest,
  LookUpAnswer,
  LookUpRequest,
} from "../workflows/messages.ts";
import { translateErrors } from "./translate-errors.ts";

const defaultStepMs = 60_000;
const defaultCount = 288;

function fitsPayload(rows: readonly unknown[]): boolean {
  return JSON.stringify(rows).length <= limits.lookUpPageBytesMax;
}

/** Asks for fewer rows until they fit one payload, so that the cursor is always the store's own. */
async function fittingPage(read: (limit: number) => Promise<Page<unknown>>, limit: number): Promise<LookUpAnswer> {
  const page = await read(limit);
  return limit === 1 || fitsPayload(page.rows) ? page : fittingPage(read, Math.ceil(limit / 2));
}

/** Hosts have no cursor of their own: it counts the rows shown so far. */
async function hostsPage(
  store: Store,
  fleet: string,
  after: number,
): Promise<(limit: number) => Promise<Page<unknown>>> {
  const rows = (await store.hosts(fleet)).slice(after);
  return async (limit) => ({ rows: rows.slice(0, limit), next: rows.length > limit ? after + limit : null });
}

async function readDemand(store: Store, { fleet, toMs, stepMs, count }: LookUpRequest): Promise<LookUpAnswer> {
  const query = { fleet, toMs: toMs ?? Date.now(), stepMs: stepMs ?? defaultStepMs, count: count ?? defaultCount };
  return { rows: [await store.demand(query)], next: null };
}

/** Tables that are read page by page. */
type PagedTable = Exclude<LookUpRequest["table"], "hosts" | "demand">;

function readPage(store: Store, table: PagedTable, page: PageRequest): Promise<Page<unknown>> {
  const reads: Record<PagedTable, () => Promise<Page<unknown>>> = {
    claims: () => store.claims(page),
    decisions: () => store.decisions(page),
    forecasts: () => store.forecasts(page),
    events: () => store.events(page),
    lead_times: () => store.leadTimes(page),
  };
  return reads[table]();
}

async function readRows(store: Store, request: LookUpRequest): Promise<LookUpAnswer> {
  const { fleet, table, after = 0 } = request;
  if (table === "demand") return readDemand(store, request);
  const limit = Math.min(request.limit ?? limits.lookUpPageRowsMax, limits.lookUpPageRowsMax);
  if (table === "hosts") return fittingPage(await hostsPage(store, fleet, after), limit);
  return fittingPage((most) => readPage(store, table, { fleet, after, limit: most }), limit);
}

/** Reads and writes of the store for those who must not open it themselves. */
export function createStoreActivities({ store }: { store: Store }) {
  return translateErrors({
    async lookUpRows(request: LookUpRequest): Promise<LookUpAnswer> {
      return readRows(store, request);
    },

    /** Takes chunks of blobs; each is accepted once its digest is right. */
    async keepBlobChunks(request: KeepBlobsRequest): Promise<KeepBlobsAnswer> {
      for (const chunk of request.chunks) {
        await store.keepBlobChunk({ ...chunk, content: Buffer.from(chunk.content, "base64") });
      }
      return { missing: await store.missingBlobs(request.digests) };
    },

    async keepDemandSamples(request: KeepDemandRequest): Promise<void> {
      await store.keepDemand(request);
    },

    async recordEvent(event: EventRow): Promise<void> {
      await store.keepEvent(event);
    },
  });
}

export type StoreActivities = ReturnType<typeof createStoreActivities>;
