import { createHash, randomBytes, randomUUID } from "node:crypto";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { limits } from "../../domain/limits.ts";
import type { DecisionRow, EventRow, ForecastRow, HostRow, LeadTimeRow, Store } from "../../providers/store/store.ts";
import { claimRow } from "./claim-row.ts";

const newFleet = () => `fleet-${randomUUID().slice(0, 8)}`;
const sha256 = (content: Buffer) => createHash("sha256").update(content).digest("hex");

export function hostRow(fleet: string, hostId: string, change: Partial<HostRow> = {}): HostRow {
  const endpoint = {
    hostId,
    machineId: `machine-${hostId}`,
    zone: "zone-a",
    address: "127.1.0.1",
    sshPort: 2200,
    sshUser: "forewarm",
    hostKeyFingerprint: "SHA256:abc",
    servicePort: 8080,
  };
  const identity = { fleet, hostId, requestId: "batch-1", ordinal: 0 };
  return { ...identity, endpoint, state: "standby", epoch: 3, digest: "d3", atMs: 1000, version: 1, ...change };
}

const leadTime = (fleet: string, change: Partial<LeadTimeRow>): LeadTimeRow => ({
  fleet,
  hostId: "h1",
  phase: "total",
  seconds: 10,
  outcome: "ok",
  atMs: 1000,
  ...change,
});

const forecast = (fleet: string, change: Partial<ForecastRow>): ForecastRow => ({
  fleet,
  madeAtMs: 1000,
  stepMs: 10_000,
  model: "seasonal-naive",
  quantiles: [0.1, 0.5, 0.9],
  values: [
    [1, 2.5, 4],
    [1.5, 3, 5],
  ],
  ...change,
});

const decision = (fleet: string, change: Partial<DecisionRow>): DecisionRow => ({
  fleet,
  atMs: 1000,
  demand: 12.5,
  servingTarget: 4,
  standbyTarget: 2,
  serving: 3,
  standby: 2,
  bootstrapping: 1,
  explanation: "p95 of demand over 90 s is 18",
  ...change,
});

const event = (fleet: string, change: Partial<EventRow>): EventRow => ({
  fleet,
  hostId: "h1",
  kind: "application-exited",
  message: "web exited with 1",
  detail: { code: 1, nested_key: { deep_key: [1, "two", null] } },
  atMs: 1000,
  ...change,
});

/** Everything every store promises; `open` gives a store whose tables may hold rows of other fleets. */
export function describeStore(name: string, open: () => Promise<Store>): void {
  describe(`store contract: ${name}`, () => {
    let store: Store;
    beforeAll(async () => {
      store = await open();
    });
    afterAll(() => store.close());

    describe("demand", () => {
      it("gives samples back on their grid, oldest first, with gaps marked", async () => {
        const fleet = newFleet();
        await store.keepDemand({ fleet, startMs: 50_000, stepMs: 10_000, values: [1, null, 3.25, 4] });
        expect(await store.demand({ fleet, toMs: 80_000, stepMs: 10_000, count: 10 })).toEqual({
          fleet,
          startMs: 50_000,
          stepMs: 10_000,
          values: [1, null, 3.25, 4],
        });
      });

      it("reads the newest count slots up to toMs and marks the unknown end", async () => {
        const fleet = newFleet();
        await store.keepDemand({ fleet, startMs: 0, stepMs: 1000, values: [1, 2, 3, 4] });
        const series = await store.demand({ fleet, toMs: 5999, stepMs: 1000, count: 4 });
        expect(series).toMatchObject({ startMs: 2000, values: [3, 4, null, null] });
        const earlier = await store.demand({ fleet, toMs: 1000, stepMs: 1000, count: 4 });
        expect(earlier).toMatchObject({ startMs: 0, values: [1, 2] });
      });

      it("is empty for an unknown fleet and for another step", async () => {
        const fleet = newFleet();
        await store.keepDemand({ fleet, startMs: 0, stepMs: 1000, values: [1] });
        expect((await store.demand({ fleet, toMs: 0, stepMs: 2000, count: 5 })).values).toEqual([]);
        expect((await store.demand({ fleet: newFleet(), toMs: 0, stepMs: 1000, count: 5 })).values).toEqual([]);
      });

      it("replaces a sample and lets null leave it as it is", async () => {
        const fleet = newFleet();
        await store.keepDemand({ fleet, startMs: 0, stepMs: 1000, values: [1, 2, 3] });
        await store.keepDemand({ fleet, startMs: 0, stepMs: 1000, values: [null, 20, null] });
        expect((await store.demand({ fleet, toMs: 2000, stepMs: 1000, count: 3 })).values).toEqual([1, 20, 3]);
      });

      it("keeps zero apart from a gap", async () => {
        const fleet = newFleet();
        await store.keepDemand({ fleet, startMs: 0, stepMs: 1000, values: [0, null, 0] });
        expect((await store.demand({ fleet, toMs: 2000, stepMs: 1000, count: 3 })).values).toEqual([0, null, 0]);
      });

      it("adds up what two writers send into the same hour", async () => {
        const fleet = newFleet();
        const writes = Array.from({ length: 24 }, (_, slot) =>
          store.keepDemand({ fleet, startMs: slot * 1000, stepMs: 1000, values: [slot] }),
        );
        await Promise.all(writes);
        const { values } = await store.demand({ fleet, toMs: 23_000, stepMs: 1000, count: 24 });
        expect(values).toEqual(Array.from({ length: 24 }, (_, slot) => slot));
      });

      it("takes a month of history at once", async () => {
        const fleet = newFleet();
        const values = Array.from({ length: 43_200 }, (_, index) => index / 4);
        await store.keepDemand({ fleet, startMs: 60_000, stepMs: 60_000, values });
        const series = await store.demand({ fleet, toMs: 43_200 * 60_000, stepMs: 60_000, count: 43_200 });
        expect(series).toEqual({ fleet, startMs: 60_000, stepMs: 60_000, values });
      });

      it("equals a plain array under any order of writes and reads", async () => {
        const sample = fc.option(fc.integer({ min: 0, max: 99 }), { nil: null });
        const write = fc.record({ start: fc.nat(600), values: fc.array(sample, { maxLength: 200 }) });
        const read = fc.record({ to: fc.nat(900), count: fc.integer({ min: 1, max: 400 }) });
        await fc.assert(
          fc.asyncProperty(
            fc.array(write, { maxLength: 4 }),
            fc.array(read, { maxLength: 3 }),
            async (writes, reads) => {
              const fleet = newFleet();
              const model: (number | null)[] = Array.from({ length: 1000 }, () => null);
              for (const { start, values } of writes) {
                await store.keepDemand({ fleet, startMs: start * 500, stepMs: 500, values });
                values.forEach((value, index) => {
                  model[start + index] = value ?? model[start + index]!;
                });
              }
              for (const { to, count } of reads) {
                const window = model.slice(Math.max(0, to - count + 1), to + 1);
                const known = window.findIndex((value) => value !== null);
                const { values, startMs } = await store.demand({ fleet, toMs: to * 500, stepMs: 500, count });
                expect(values).toEqual(known === -1 ? [] : window.slice(known));
                expect(startMs / 500 + values.length).toBe(to + 1);
              }
            },
          ),
          { numRuns: 25 },
        );
      });
    });

    describe("lead times", () => {
      it("answers the newest successful durations of a phase, newest first", async () => {
        const fleet = newFleet();
        await store.keepLeadTimes([
          leadTime(fleet, { hostId: "a", seconds: 1.5, atMs: 1000 }),
          leadTime(fleet, { hostId: "b", seconds: 3, atMs: 3000 }),
          leadTime(fleet, { hostId: "c", seconds: 2, atMs: 2000 }),
          leadTime(fleet, { hostId: "d", seconds: 99, atMs: 4000, outcome: "failed" }),
          leadTime(fleet, { hostId: "e", seconds: 98, atMs: 4000, phase: "boot" }),
        ]);
        expect(await store.leadTimeSeconds({ fleet, phase: "total", limit: 2 })).toEqual([3, 2]);
        expect(await store.leadTimeSeconds({ fleet, phase: "total", limit: 9 })).toEqual([3, 2, 1.5]);
        expect(await store.leadTimeSeconds({ fleet: newFleet(), phase: "total", limit: 9 })).toEqual([]);
      });

      it("keeps a repeated row once and nothing of an empty list", async () => {
        const fleet = newFleet();
        const rows = [leadTime(fleet, { hostId: "a" }), leadTime(fleet, { hostId: "b", outcome: "compensated" })];
        await store.keepLeadTimes([]);
        await store.keepLeadTimes(rows);
        await store.keepLeadTimes(rows);
        expect(await store.leadTimes({ fleet })).toEqual({ rows, next: null });
      });
    });

    describe("hosts", () => {
      it("keeps a row whole, also one that has no endpoint yet", async () => {
        const fleet = newFleet();
        const rows = [hostRow(fleet, "h1"), hostRow(fleet, "h2", { endpoint: null, state: "booting", ordinal: 7 })];
        for (const row of rows) await store.keepHost(row);
        expect(await store.hosts(fleet)).toEqual(rows);
        expect(await store.host(fleet, "h2")).toEqual(rows[1]);
        expect(await store.host(fleet, "h3")).toBeNull();
        expect(await store.hosts(newFleet())).toEqual([]);
      });

      it("never lets an older version overwrite a newer one", async () => {
        const fleet = newFleet();
        const newer = hostRow(fleet, "h1", { version: 5, state: "serving", epoch: 9, atMs: 1_763_800_000_000 });
        await store.keepHost(hostRow(fleet, "h1", { version: 4 }));
        await store.keepHost(newer);
        await store.keepHost(hostRow(fleet, "h1", { version: 3, state: "booting" }));
        await store.keepHost(hostRow(fleet, "h1", { version: 5, state: "draining" }));
        expect(await store.host(fleet, "h1")).toEqual(newer);
      });

      it("keeps the highest version when all arrive at once", async () => {
        const fleet = newFleet();
        const versions = [3, 9, 1, 7, 2, 8];
        await Promise.all(versions.map((version) => store.keepHost(hostRow(fleet, "h1", { version, epoch: version }))));
        expect(await store.host(fleet, "h1")).toMatchObject({ version: 9, epoch: 9 });
      });

      it("removes a host, and a late repetition of its last row does not bring it back", async () => {
        const fleet = newFleet();
        await store.keepHost(hostRow(fleet, "h1", { version: 2 }));
        await store.keepHost(hostRow(fleet, "h2"));
        await store.removeHost(fleet, "h1");
        await store.removeHost(fleet, "h1");
        await store.removeHost(fleet, "never-known");
        await store.keepHost(hostRow(fleet, "h1", { version: 2 }));
        expect(await store.host(fleet, "h1")).toBeNull();
        expect((await store.hosts(fleet)).map((row) => row.hostId)).toEqual(["h2"]);
        await store.keepHost(hostRow(fleet, "h1", { version: 3 }));
        expect(await store.host(fleet, "h1")).toMatchObject({ version: 3 });
      });
    });

    describe("claims", () => {
      it("returns the first answer to every later row of the same claim", async () => {
        const fleet = newFleet();
        const first = claimRow(fleet, "c1", "h1");
        expect(await store.keepClaims([first])).toEqual([first]);
        expect(await store.keepClaims([{ ...claimRow(fleet, "c1", "h2"), kind: "waited" }])).toEqual([first]);
        expect(await store.claims({ fleet })).toEqual({ rows: [first], next: null });
        expect(await store.keepClaims([])).toEqual([]);
      });

      it("gives one answer to all when many ask at once", async () => {
        const fleet = newFleet();
        const hostIds = Array.from({ length: 12 }, (_, index) => `h${index}`);
        const answers = await Promise.all(hostIds.map((hostId) => store.keepClaims([claimRow(fleet, "c1", hostId)])));
        expect(new Set(answers.flat().map((answer) => answer.hostId)).size).toBe(1);
        expect((await store.claims({ fleet })).rows).toEqual(answers[0]);
      });

      it("keeps many at once, those that were answered before among them, in the order given", async () => {
        const fleet = newFleet();
        const before = claimRow(fleet, "c2", "h2");
        await store.keepClaims([before]);
        const rows = ["c1", "c2", "c3", "c1"].map((claimId, index) => claimRow(fleet, claimId, `other-${index}`));
        const kept = await store.keepClaims(rows);
        expect(kept).toEqual([rows[0], before, rows[2], rows[0]]);
        expect((await store.claims({ fleet })).rows).toEqual([before, rows[0], rows[2]]);
      });

      it("keeps equal claim ids of two fleets apart", async () => {
        const [one, two] = [newFleet(), newFleet()];
        await store.keepClaims([claimRow(one, "c1", "h1")]);
        expect(await store.keepClaims([claimRow(two, "c1", "h2")])).toMatchObject([{ hostId: "h2" }]);
      });
    });

    describe("pages", () => {
      it("walks all rows once, oldest first, and ends with null", async () => {
        const fleet = newFleet();
        const ids = Array.from({ length: 7 }, (_, index) => `c${index}`);
        await store.keepClaims(ids.map((id) => claimRow(fleet, id, "h")));
        await store.keepClaims([claimRow(newFleet(), "foreign", "h")]);
        const seen: string[][] = [];
        for (let after: number | null = 0; after !== null;) {
          const page: Awaited<ReturnType<Store["claims"]>> = await store.claims({ fleet, after, limit: 3 });
          seen.push(page.rows.map((row) => row.claimId));
          after = page.next;
        }
        expect(seen).toEqual([ids.slice(0, 3), ids.slice(3, 6), ids.slice(6)]);
        expect(await store.claims({ fleet, limit: 7 })).toMatchObject({ next: null });
      });

      it("holds a page to its bound", async () => {
        const fleet = newFleet();
        const count = limits.lookUpPageRowsMax + 1;
        await store.keepLeadTimes(Array.from({ length: count }, (_, atMs) => leadTime(fleet, { atMs })));
        const page = await store.leadTimes({ fleet, limit: count });
        expect(page.rows).toHaveLength(limits.lookUpPageRowsMax);
        expect((await store.leadTimes({ fleet, after: page.next! })).rows).toHaveLength(1);
        expect((await store.leadTimes({ fleet, limit: 0 })).rows).toHaveLength(1);
      });
    });

    describe("forecasts and decisions", () => {
      it("answers the newest forecast and replaces one made again for the same moment", async () => {
        const fleet = newFleet();
        expect(await store.latestForecast(fleet)).toBeNull();
        const later = forecast(fleet, { madeAtMs: 3000 });
        const early = forecast(fleet, { madeAtMs: 1000 });
        await store.keepForecast(later);
        await store.keepForecast(forecast(fleet, { madeAtMs: 1000, values: [[0, 0, 0]] }));
        await store.keepForecast(early);
        expect(await store.latestForecast(fleet)).toEqual(later);
        expect((await store.forecasts({ fleet })).rows).toEqual([later, early]);
      });

      it("keeps decisions, with demand unknown too, and replaces one of the same moment", async () => {
        const fleet = newFleet();
        const rows = [decision(fleet, {}), decision(fleet, { atMs: 2000, demand: null })];
        await store.keepDecision(decision(fleet, { servingTarget: 99 }));
        for (const row of rows) await store.keepDecision(row);
        expect(await store.decisions({ fleet })).toEqual({ rows, next: null });
      });
    });

    describe("events", () => {
      it("keeps each event once, in order, with its detail untouched", async () => {
        const fleet = newFleet();
        const rows = [event(fleet, {}), event(fleet, { hostId: null }), event(fleet, { detail: { code: 2 } })];
        for (const row of [...rows, ...rows]) await store.keepEvent(row);
        expect(await store.events({ fleet })).toEqual({ rows, next: null });
      });

      it("takes text that Postgres does not: NUL and half a surrogate pair", async () => {
        const fleet = newFleet();
        await store.keepEvent(event(fleet, { message: "a\0b\uD800", detail: { output: "\0\uDC00 \\u0000" } }));
        const { rows } = await store.events({ fleet });
        expect(rows[0]).toMatchObject({ message: "a\uFFFDb\uFFFD", detail: { output: "\uFFFD\uFFFD \\u0000" } });
      });
    });

    describe("blobs", () => {
      const cut = (content: Buffer, size: number) =>
        Array.from({ length: Math.max(1, Math.ceil(content.length / size)) }, (_, index) =>
          content.subarray(index * size, (index + 1) * size),
        );
      const send = async (content: Buffer, parts: Buffer[], order: number[]) => {
        for (const index of order) {
          const chunk = { sha256: sha256(content), index, count: parts.length, content: parts[index]! };
          await store.keepBlobChunk(chunk);
        }
      };

      it("holds a blob once its chunks, in any order and repeated, are there", async () => {
        const content = randomBytes(1000);
        const parts = cut(content, 300);
        await send(content, parts, [3, 1, 1, 0]);
        expect(await store.missingBlobs([sha256(content)])).toEqual([sha256(content)]);
        expect(await store.blob(sha256(content))).toBeNull();
        await send(content, parts, [2]);
        expect(await store.missingBlobs([sha256(content)])).toEqual([]);
        expect(await store.blob(sha256(content))).toEqual(content);
        await send(content, parts, [0, 3]);
        expect(await store.blob(sha256(content))).toEqual(content);
      });

      it("completes when the last chunks arrive at once", async () => {
        const content = randomBytes(4000);
        const parts = cut(content, 500);
        await Promise.all(parts.map((_, index) => send(content, parts, [index])));
        expect(await store.blob(sha256(content))).toEqual(content);
      });

      it("refuses content of another digest, and takes the right one afterwards", async () => {
        const content = randomBytes(600);
        const parts = cut(content, 300);
        const wrong = { sha256: sha256(content), index: 0, count: 2, content: randomBytes(300) };
        await store.keepBlobChunk(wrong);
        await expect(send(content, parts, [1])).rejects.toMatchObject({ code: "BLOB_INVALID" });
        expect(await store.missingBlobs([sha256(content)])).toHaveLength(1);
        await send(content, parts, [1, 0]);
        expect(await store.blob(sha256(content))).toEqual(content);
      });

      it("does not mix the chunks of two senders who cut a blob differently", async () => {
        const content = randomBytes(900);
        await send(content, cut(content, 300), [0, 1]);
        await send(content, cut(content, 450), [0, 1]);
        expect(await store.blob(sha256(content))).toEqual(content);
      });

      it("keeps the empty blob and the largest chunk", async () => {
        const empty = Buffer.alloc(0);
        await send(empty, cut(empty, 1), [0]);
        expect(await store.blob(sha256(empty))).toEqual(empty);
        const large = randomBytes(limits.blobChunkBytesMax);
        await send(large, [large], [0]);
        expect((await store.blob(sha256(large)))!.equals(large)).toBe(true);
      });

      it.each([
        ["a name that is no digest", { sha256: "../etc/passwd" }],
        ["an index outside", { index: 2 }],
        ["a negative index", { index: -1 }],
        ["no chunks", { count: 0 }],
        ["too many chunks", { count: limits.blobChunksMax + 1 }],
        ["a chunk too large", { content: Buffer.alloc(limits.blobChunkBytesMax + 1) }],
      ])("refuses %s", async (_name, change) => {
        const chunk = { sha256: "a".repeat(64), index: 0, count: 2, content: Buffer.from("x"), ...change };
        await expect(store.keepBlobChunk(chunk)).rejects.toMatchObject({ code: "BLOB_INVALID" });
      });

      it("lists what is missing, each once, in the order asked", async () => {
        const content = randomBytes(10);
        await send(content, [content], [0]);
        const [one, two] = ["1".repeat(64), "2".repeat(64)];
        expect(await store.missingBlobs([two, sha256(content), one, two])).toEqual([two, one]);
        expect(await store.missingBlobs([])).toEqual([]);
      });
    });
  });

  describe(`store contract: ${name}, closed`, () => {
    it("answers STORE_UNREACHABLE after close, and closing twice is no error", async () => {
      const store = await open();
      await store.close();
      await store.close();
      await expect(store.hosts("f")).rejects.toMatchObject({ code: "STORE_UNREACHABLE" });
      await expect(store.keepHost(hostRow("f", "h"))).rejects.toMatchObject({ code: "STORE_UNREACHABLE" });
    });
  });
}
