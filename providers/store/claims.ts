import type { Kysely } from "kysely";
import { invariant } from "../../domain/errors.ts";
import { readPage } from "./page.ts";
import type { StoreTables } from "./schema.ts";
import type { ClaimRow, Store } from "./store.ts";

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

function keptRows(db: Kysely<StoreTables>, rows: readonly ClaimRow[]): Promise<ClaimRow[]> {
  return db
    .selectFrom("claims")
    .select(claimColumns)
    .where((row) => row.or(rows.map(({ fleet, claimId }) => row.and({ fleet, claimId }))))
    .execute();
}

function keyOf({ fleet, claimId }: ClaimRow): string {
  return `${fleet} ${claimId}`;
}

/** The answer of every claim. Claim ids are unique within a fleet, and the database decides which answer was first. */
export function createClaimTable(db: Kysely<StoreTables>): Pick<Store, "keepClaims" | "claims"> {
  return {
    keepClaims: async (rows) => {
      if (rows.length === 0) return [];
      const inserted = await db
        .insertInto("claims")
        .values(rows)
        .onConflict((conflict) => conflict.columns(["fleet", "claimId"]).doNothing())
        .returning(claimColumns)
        .execute();
      const kept = new Map(inserted.map((row) => [keyOf(row), row]));
      const earlier = rows.filter((row) => !kept.has(keyOf(row)));
      if (earlier.length > 0) for (const row of await keptRows(db, earlier)) kept.set(keyOf(row), row);
      return rows.map((row) => {
        const known = kept.get(keyOf(row));
        invariant(known !== undefined, `claim ${row.claimId} of fleet ${row.fleet} was neither kept nor found`);
        return known;
      });
    },
    claims: (request) => readPage(db.selectFrom("claims").selectAll(), request),
  };
}
