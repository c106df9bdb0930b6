import { type Kysely, type Migration, Migrator, sql } from "kysely";
import type { StoreTables } from "./schema.ts";
import { sqlState } from "./store-errors.ts";

const attemptsMax = 5;
const undefinedTable = "42P01";

/** What two processes meet when both create the same tables at once: the loser's transaction is undone as a whole. */
const conflictStates = new Set(["23505", "40001", "40P01", "42701", "42710", "42P06", "42P07"]);

const firstTables = `
create table demand_chunks (
  fleet text not null, step_ms bigint not null, chunk bigint not null, samples float8[] not null,
  primary key (fleet, step_ms, chunk));
create table lead_times (
  number bigserial primary key, fleet text not null, host_id text not null, phase text not null,
  seconds float8 not null, outcome text not null, at_ms bigint not null,
  unique (fleet, host_id, phase, at_ms));
create index lead_times_newest on lead_times (fleet, phase, at_ms desc) where outcome = 'ok';
create index lead_times_page on lead_times (fleet, number);
create table hosts (
  fleet text not null, host_id text not null, endpoint jsonb, state text not null, epoch bigint not null,
  digest text not null, request_id text not null, ordinal integer not null, at_ms bigint not null,
  version bigint not null, removed boolean not null,
  primary key (fleet, host_id));
create table claims (
  number bigserial primary key, fleet text not null, claim_id text not null, host_id text not null,
  kind text not null, requested_at_ms bigint not null, granted_at_ms bigint not null,
  epoch bigint not null, golden_epoch bigint not null, ready_at_ms bigint not null,
  unique (fleet, claim_id));
create index claims_page on claims (fleet, number);
create table forecasts (
  number bigserial primary key, fleet text not null, made_at_ms bigint not null, step_ms bigint not null,
  model text not null, quantiles jsonb not null, "values" jsonb not null,
  unique (fleet, made_at_ms, model));
create index forecasts_page on forecasts (fleet, number);
create table decisions (
  number bigserial primary key, fleet text not null, at_ms bigint not null, demand float8,
  serving_target integer not null, standby_target integer not null, serving integer not null,
  standby integer not null, bootstrapping integer not null, explanation text not null,
  unique (fleet, at_ms));
create index decisions_page on decisions (fleet, number);
create table events (
  number bigserial primary key, fleet text not null, host_id text, kind text not null,
  message text not null, detail jsonb not null, at_ms bigint not null);
create unique index events_once on events
  (fleet, at_ms, kind, coalesce(host_id, ''), md5(message || detail::text));
create index events_page on events (fleet, number);
create table blobs (sha256 text primary key, chunk_count integer not null);
create table blob_chunks (
  sha256 text not null, chunk_count integer not null, chunk integer not null, content bytea not null,
  primary key (sha256, chunk_count, chunk));
`;

/** Released migrations never change; a new one goes at the end under the next number. */
const migrations: Record<string, Migration> = {
  "0001-first-tables": { up: (db) => runStatements(db, firstTables) },
};

async function runStatements(db: Kysely<unknown>, script: string): Promise<void> {
  for (const statement of script.split(";")) {
    if (statement.trim() !== "") await sql.raw(statement).execute(db);
  }
}

/** A look that spares the migrator's own, ten times slower one at every start but the first. */
async function isCurrent(db: Kysely<StoreTables>): Promise<boolean> {
  try {
    const { rows } = await sql<{ name: string }>`select name from kysely_migration`.execute(db);
    const done = new Set(rows.map((row) => row.name));
    return Object.keys(migrations).every((name) => done.has(name)) && done.size === Object.keys(migrations).length;
  } catch (error) {
    if (sqlState(error) === undefinedTable) return false;
    throw error;
  }
}

/**
 * Brings the tables to the newest form. Safe when several workers start at once: all steps are one transaction that
 * ends with the migration's own primary key, so the slower one fails as a whole, looks again and finds the work done.
 * Errors: STORE_UNREACHABLE, DISK_FULL.
 */
export async function migrateStore(db: Kysely<StoreTables>): Promise<void> {
  if (await isCurrent(db)) return;
  const migrator = new Migrator({ db, provider: { getMigrations: async () => migrations } });
  for (let attempt = 1; ; attempt += 1) {
    const { error } = await migrator.migrateToLatest();
    if (error === undefined) return;
    if (attempt === attemptsMax || !conflictStates.has(sqlState(error) ?? "")) throw error;
  }
}
