import { limits } from "../domain/limits.ts";
import type { EventRow, Page, Store } from "../providers/store/store.ts";
import type {
  KeepBlobsAnswer,
  KeepBlobsRequest,
  KeepDemandRequest,
  LookUpAnswer,
  LookUpRequest,
} from "../workflows/messages.ts";
import { translateErrors } from "./translate-errors.ts";

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

async function readRows(store: Store, request: LookUpRequest): Promise<LookUpAnswer> {
  const { fleet, after = 0 } = request;
  const page = { fleet, after, limit: Math.min(request.limit ?? limits.lookUpPageRowsMax, limits.lookUpPageRowsMax) };
  switch (request.table) {
    case "hosts":
      return fitPayload({ rows: (await store.hosts(fleet)).slice(after), next: null }, after);
    case "claims":
      return fitPayload(await store.claims(page), after);
    case "decisions":
      return fitPayload(await store.decisions(page), after);
    case "forecasts":
      return fitPayload(await store.forecasts(page), after);
    case "events":
      return fitPayload(await store.events(page), after);
    case "lead_times":
      return fitPayload(await store.leadTimes(page), after);
    case "demand": {
      const query = {
        fleet,
        toMs: request.toMs ?? Date.now(),
        stepMs: request.stepMs ?? 60_000,
        count: request.count ?? 288,
      };
      return { rows: [await store.demand(query)], next: null };
    }
  }
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
