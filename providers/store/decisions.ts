import type { Kysely } from "kysely";
import { readPage } from "./page.ts";
import type { StoreTables } from "./schema.ts";
import type { Store } from "./store.ts";

/** Capacity decisions; a decision made again for the same moment replaces the first. */
export function createDecisionTable(db: Kysely<StoreTables>): Pick<Store, "keepDecision" | "decisions"> {
  return {
    keepDecision: async (row) => {
      const { fleet: _fleet, atMs: _atMs, ...changes } = row;
      await db
        .insertInto("decisions")
        .values(row)
        .onConflict((conflict) => conflict.columns(["fleet", "atMs"]).doUpdateSet(changes))
        .execute();
    },
    decisions: (request) => readPage(db.selectFrom("decisions").selectAll(), request),
  };
}
