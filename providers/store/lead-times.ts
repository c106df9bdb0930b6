import type { Kysely } from "kysely";
import { readPage } from "./page.ts";
import type { StoreTables } from "./schema.ts";
import type { Store } from "./store.ts";

const rowsPerInsertMax = 1000;

/** Phase durations of bootstraps; a repeated row (same host, phase and time) is kept once. */
export function createLeadTimeTable(
  db: Kysely<StoreTables>,
): Pick<Store, "keepLeadTimes" | "leadTimeSeconds" | "leadTimes"> {
  return {
    keepLeadTimes: async (rows) => {
      for (let start = 0; start < rows.length; start += rowsPerInsertMax) {
        const part = rows.slice(start, start + rowsPerInsertMax);
        await db
          .insertInto("leadTimes")
          .values(part)
          .onConflict((conflict) => conflict.columns(["fleet", "hostId", "phase", "atMs"]).doNothing())
          .execute();
      }
    },
    leadTimeSeconds: async ({ fleet, phase, limit }) => {
      const rows = await db
        .selectFrom("leadTimes")
        .select("seconds")
        .where("fleet", "=", fleet)
        .where("phase", "=", phase)
        .where("outcome", "=", "ok")
        .orderBy("atMs", "desc")
        .orderBy("number", "desc")
        .limit(limit)
        .execute();
      return rows.map((row) => row.seconds);
    },
    leadTimes: (request) => readPage(db.selectFrom("leadTimes").selectAll(), request),
  };
}
