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

/** Cuts a page so that its JSON fits one payload; the cursor then points behind the last row kept. */
function fitPayload(page: Page<unknown>, after: number): LookUpAnswer {
  let bytes = 0;
  const kept = page.rows.findIndex((row) => {
    bytes += JSON.stringify(row).length + 1;
    return bytes > limits.lookUpPageBytesMax;
  });
  if (kept < 0) return { rows: page.rows, next: page.next };
  return { rows: page.rows.slice(0, Math.max(1, kept)), next: after + Math.max(1, kept) };
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
  if (table === "hosts") return fitPayload({ rows: (await store.hosts(fleet)).slice(after), next: null }, after);
  const limit = Math.min(request.limit ?? limits.lookUpPageRowsMax, limits.lookUpPageRowsMax);
  return fitPayload(await readPage(store, table, { fleet, after, limit }), after);
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
