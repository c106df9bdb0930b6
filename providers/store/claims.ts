import type { Kysely } from "kysely";
import { invariant } from "../../domain/errors.ts";
import { pageBounds, pageOf } from "./page.ts";
import type { StoreTables } from "./schema.ts";
import type { Store } from "./store.ts";

const claimColumns = [
  "fleet",
  "claimId",
  "hostId",
  "kind",
  "requestedAtMs",
  "grantedAtMs",
  "epoch",
  "goldenEpoch",
  "readyAtMs",
] as const;

/** The answer of every claim. Claim ids are unique within a fleet, and the database decides which answer was first. */
export function createClaimTable(db: Kysely<StoreTables>): Pick<Store, "keepClaim" | "claims"> {
  return {
    keepClaim: async (row) => {
      const inserted = await db
        .insertInto("claims")
        .values(row)
        .onConflict((conflict) => conflict.columns(["fleet", "claimId"]).doNothing())
        .returning(claimColumns)
        .executeTakeFirst();
      const kept =
        inserted ??
        (await db
          .selectFrom("claims")
          .select(claimColumns)
          .where("fleet", "=", row.fleet)
          .where("claimId", "=", row.claimId)
          .executeTakeFirst());
      invariant(kept !== undefined, `claim ${row.claimId} of fleet ${row.fleet} was neither kept nor found`);
      return kept;
    },
    claims: async (request) => {
      const { after, limit } = pageBounds(request);
      const rows = await db
        .selectFrom("claims")
        .selectAll()
        .where("fleet", "=", request.fleet)
        .where("number", ">", after)
        .orderBy("number")
        .limit(limit)
        .execute();
      return pageOf(rows, limit);
    },
  };
}
