import { PostgresDriver } from "kysely";
import { Pool, types } from "pg";
import { openSqlStore } from "../sql-store.ts";
import type { Store } from "../store.ts";

const connectionsMax = 8;
const connectTimeoutMs = 5_000;
const statementTimeoutMs = 30_000;

/** Times and versions are 64-bit integers below 2^53, so numbers hold them exactly. */
const parserOf: typeof types.getTypeParser = (oid, format) =>
  oid === types.builtins.INT8 ? Number : types.getTypeParser(oid, format);

/**
 * Opens the store on a Postgres 15 or newer that any number of workers may share, and migrates it.
 * Errors: STORE_UNREACHABLE when no connection is had within 5 s, DISK_FULL.
 */
export async function openPostgresStore(options: { connectionString: string }): Promise<Store> {
  const pool = new Pool({
    connectionString: options.connectionString,
    max: connectionsMax,
    connectionTimeoutMillis: connectTimeoutMs,
    statement_timeout: statementTimeoutMs,
    keepAlive: true,
    application_name: "forewarm",
    types: { getTypeParser: parserOf },
  });
  // An idle connection that breaks must not end the process: the pool drops it, and the next call connects anew.
  pool.on("error", () => undefined);
  return openSqlStore(new PostgresDriver({ pool }));
}
