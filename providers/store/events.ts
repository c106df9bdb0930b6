import type { Kysely } from "kysely";
import { readPage } from "./page.ts";
import type { StoreTables } from "./schema.ts";
import type { Store } from "./store.ts";

/** Postgres takes neither NUL nor half a surrogate pair, and both occur in cut or binary command output. */
function storableText(text: string): string {
  return Buffer.from(text).toString().replaceAll("\0", "\uFFFD");
}

function storableJson(detail: Record<string, unknown>): string {
  return JSON.stringify(detail, (_key, value: unknown) => (typeof value === "string" ? storableText(value) : value));
}

/** What happened, for people; the same event kept twice is one event. */
export function createEventTable(db: Kysely<StoreTables>): Pick<Store, "keepEvent" | "events"> {
  return {
    keepEvent: async (row) => {
      await db
        .insertInto("events")
        .values({ ...row, message: storableText(row.message), detail: storableJson(row.detail) })
        .onConflict((conflict) => conflict.doNothing())
        .execute();
    },
    events: (request) => readPage(db.selectFrom("events").selectAll(), request),
  };
}
