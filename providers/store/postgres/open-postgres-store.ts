import { PostgresDriver } from "kysely";
import type { PostgresPool } from "kysely";
import { Pool, types } from "pg";
import type { PoolClient } from "pg";
import { openSqlStore } from "../sql-store.ts";
import { readTimeoutMessage } from "../store-errors.ts";
import type { Store } from "../store.ts";

const connectionsMax = 8;
const connectTimeoutMs = 5_000;
const defaultStatementTimeoutMs = 30_000;
/** How much longer than the server's own bound an answer may take, before the server is held for gone. */
const answerGraceMs = 5_000;
const keepAliveAfterMs = 10_000;

/** Times and versions are 64-bit integers below 2^53, so numbers hold them exactly. */
const parserOf: typeof types.getTypeParser = (oid, format) =>
  oid === types.builtins.INT8 ? Number : types.getTypeParser(oid, format);

/**
 * Opens the store on a Postgres 15 or newer that any number of workers may share, and migrates it.
 * Errors: STORE_UNREACHABLE when no connection is had within 5 s or no answer within 35 s, DISK_FULL.
 */
export async function openPostgresStore(options: {
  connectionString: string;
  statementTimeoutMs?: number;
}): Promise<Store> {
  const { statementTimeoutMs = defaultStatementTimeoutMs } = options;
  const pool = new Pool({
    connectionString: options.connectionString,
    max: connectionsMax,
    connectionTimeoutMillis: connectTimeoutMs,
    statement_timeout: statementTimeoutMs,
    // A server that vanished without a word says nothing of its own timeout.
    query_timeout: statementTimeoutMs + answerGraceMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: keepAliveAfterMs,
    application_name: "forewarm",
    types: { getTypeParser: parserOf },
  });
  // An idle connection that breaks must not end the process: the pool drops it, and the next call connects anew.
  pool.on("error", () => undefined);
  return openSqlStore(new PostgresDriver({ pool: withoutSilentClients(pool) }));
}

/** The pool, but a connection that owes an answer is closed when it is given back, and asked nothing more until then. */
function withoutSilentClients(pool: Pool): PostgresPool {
  return { connect: async () => untilSilent(await pool.connect()), end: () => pool.end() };
}

function untilSilent(client: PoolClient): PoolClient {
  let silent: Error | undefined;
  const query = async (sql: string, parameters: readonly unknown[]) => {
    // Such as the rollback that follows: it would wait behind the answer that never comes.
    if (silent !== undefined) throw silent;
    try {
      return await client.query(sql, [...parameters]);
    } catch (error) {
      if (error instanceof Error && error.message === readTimeoutMessage) silent = error;
      throw error;
    }
  };
  const release = () => client.release(silent);
  const own = new Map<string | symbol, unknown>(Object.entries({ query, release }));
  return new Proxy(client, { get: (target, name) => own.get(name) ?? Reflect.get(target, name) });
}
