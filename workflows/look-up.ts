import type { KeepBlobsAnswer, KeepBlobsRequest, KeepDemandRequest, LookUpAnswer, LookUpRequest } from "./messages.ts";
import { records } from "./proxies.ts";

/** Reads one page of a store table through the worker that owns the store. */
export async function lookUp(request: LookUpRequest): Promise<LookUpAnswer> {
  return records.lookUpRows(request);
}

/** Writes blob chunks into the store and answers which of the named blobs are still missing. */
export async function keepBlobs(request: KeepBlobsRequest): Promise<KeepBlobsAnswer> {
  return records.keepBlobChunks(request);
}

/** Loads past demand into the store, so that a new fleet forecasts from its first day. */
export async function keepDemand(request: KeepDemandRequest): Promise<void> {
  return records.keepDemandSamples(request);
}
