import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openPgliteStore } from "../providers/store/pglite/open-pglite-store.ts";
import { openPostgresStore } from "../providers/store/postgres/open-postgres-store.ts";
import type { HostRow, Store } from "../providers/store/store.ts";
import { postgresMissing, startPostgres } from "../test/providers/store/postgres-server.ts";
import { type Bench, type BenchContext, type Claim, quantile, type Row } from "./harness.ts";

const fleet = "bench";
const stepMs = 10_000;
const samplesKept = 17_280;
const samplesRead = 4_000;
const readMsMax = 10;

/** One thing done to one store, and how many milliseconds each time took. */
interface Series {
  store: string;
  what: "open" | "reopen" | "read" | "upsert" | "append";
  durationsMs: number[];
}

type Measure = (what: Series["what"], work: () => Promise<unknown>) => Promise<void>;

/** Times single calls and writes each as an event. */
function createMeasure(context: BenchContext, store: string, into: Series[]): Measure {
  return async (what, work) => {
    const startedMs = performance.now();
    await work();
    const durationMs = performance.now() - startedMs;
    context.event({ kind: "call", store, what, durationMs });
    const series = into.find((candidate) => candidate.store === store && candidate.what === what);
    if (series === undefined) into.push({ store, what, durationsMs: [durationMs] });
    else series.durationsMs.push(durationMs);
  };
}

function hostRow(number: number, version: number): HostRow {
  const identity = { fleet, hostId: `host-${number}`, requestId: "batch", ordinal: number };
  return { ...identity, endpoint: null, state: "standby", epoch: 1, digest: "d", atMs: version, version };
}

async function measureCalls(store: Store, measure: Measure, context: BenchContext): Promise<void> {
  const values = Array.from({ length: samplesKept }, () => (context.random() < 0.02 ? null : context.random() * 1000));
  await store.keepDemand({ fleet, startMs: 0, stepMs, values });
  const rounds = Math.ceil(100 * context.scale);
  const lastStart = samplesKept - samplesRead;
  for (let round = 0; round < rounds; round += 1) {
    const toMs = (samplesRead + Math.floor(context.random() * lastStart)) * stepMs;
    await measure("read", () => store.demand({ fleet, toMs, stepMs, count: samplesRead }));
    await measure("append", () =>
      store.keepDemand({ fleet, startMs: (samplesKept + round) * stepMs, stepMs, values: [round] }),
    );
    for (let host = 0; host < 5; host += 1) {
      await measure("upsert", () => store.keepHost(hostRow(host, round + 1)));
    }
  }
}

async function measurePglite(context: BenchContext, into: Series[]): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "forewarm-bench-"));
  const measure = createMeasure(context, "pglite", into);
  let store: Store | undefined;
  const open = async () => {
    store = await openPgliteStore({ directory });
  };
  try {
    await measure("open", open);
    for (let round = 0; round < 3; round += 1) {
      await store?.close();
      await measure("reopen", open);
    }
    if (store !== undefined) await measureCalls(store, measure, context);
  } finally {
    await store?.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function measurePostgres(context: BenchContext, into: Series[]): Promise<void> {
  const server = await startPostgres();
  try {
    const store = await openPostgresStore({ connectionString: await server.createDatabase() });
    await measureCalls(store, createMeasure(context, "postgres", into), context);
    await store.close();
  } finally {
    await server.remove();
  }
}

function perSecond(durationsMs: readonly number[]): number {
  return (1000 * durationsMs.length) / durationsMs.reduce((sum, durationMs) => sum + durationMs, 0);
}

function claimsOf({ store, what, durationsMs }: Series): Claim[] {
  const middle = quantile(durationsMs, 0.5);
  const claims: Partial<Record<Series["what"], Claim>> = {
    open: { name: `${store} first open`, value: middle, unit: "ms", target: { op: "<=", value: 5000 } },
    reopen: { name: `${store} reopen p50`, value: middle, unit: "ms", target: { op: "<=", value: 1000 } },
    read: {
      name: `${store} read of ${samplesRead} samples p50`,
      value: middle,
      unit: "ms",
      target: { op: "<=", value: readMsMax },
    },
    upsert: { name: `${store} upserts`, value: perSecond(durationsMs), unit: "1/s", target: { op: ">=", value: 200 } },
  };
  const claim = claims[what];
  return claim === undefined ? [] : [claim];
}

function rowOf({ store, what, durationsMs }: Series): Row {
  return {
    store,
    what,
    calls: durationsMs.length,
    p50_ms: quantile(durationsMs, 0.5),
    p95_ms: quantile(durationsMs, 0.95),
    max_ms: quantile(durationsMs, 1),
    per_second: perSecond(durationsMs),
  };
}

/** How fast the store answers one caller, embedded and on a Postgres where there is one. Plain timings: no control. */
export const bench: Bench = {
  name: "store",
  describe: "opening, range reads and upserts of the embedded store and of Postgres",
  run: async (context) => {
    const series: Series[] = [];
    await measurePglite(context, series);
    if (postgresMissing) context.note("postgresql-15 is missing: only the embedded store was measured");
    else await measurePostgres(context, series);
    return { claims: series.flatMap(claimsOf), table: series.map(rowOf) };
  },
};
