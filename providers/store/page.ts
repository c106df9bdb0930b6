import { sql, type SelectQueryBuilder } from "kysely";
import { limits } from "../../domain/limits.ts";
import type { StoreTables } from "./schema.ts";
import type { Page, PageRequest } from "./store.ts";

/**
 * One page of a fleet's rows, oldest first. One row more than it shows is asked for, which tells whether another page
 * follows.
 */
export async function readPage<Table extends keyof StoreTables, Row extends { number: number }>(
  query: SelectQueryBuilder<StoreTables, Table, Row>,
  request: PageRequest,
): Promise<Page<Omit<Row, "number">>> {
  const limit = Math.min(Math.max(1, request.limit ?? limits.lookUpPageRowsMax), limits.lookUpPageRowsMax);
  const rows = await query
    .where(sql.ref<string>("fleet"), "=", request.fleet)
    .where(sql.ref<number>("number"), ">", request.after ?? 0)
    .orderBy(sql.ref("number"))
    .limit(limit + 1)
    .execute();
  const shown = rows.slice(0, limit);
  return {
    rows: shown.map(({ number: _number, ...row }) => row),
    next: rows.length > limit ? (shown.at(-1)?.number ?? null) : null,
  };
}
