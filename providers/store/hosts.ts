import type { Kysely } from "kysely";
import type { StoreTables } from "./schema.ts";
import type { Store } from "./store.ts";

const hostColumns = [
  "fleet",
  "hostId",
  "endpoint",
  "state",
  "epoch",
  "digest",
  "requestId",
  "ordinal",
  "atMs",
  "version",
] as const;

/** The newest known row of every host; a removed host comes back only with a higher version. */
export function createHostTable(db: Kysely<StoreTables>): Pick<Store, "keepHost" | "host" | "hosts" | "removeHost"> {
  const present = (fleet: string) =>
    db.selectFrom("hosts").select(hostColumns).where("fleet", "=", fleet).where("removed", "=", false);
  return {
    keepHost: async (row) => {
      const values = { ...row, endpoint: JSON.stringify(row.endpoint), removed: false };
      const { fleet: _fleet, hostId: _hostId, ...changes } = values;
      await db
        .insertInto("hosts")
        .values(values)
        .onConflict((conflict) =>
          conflict
            .columns(["fleet", "hostId"])
            .doUpdateSet(changes)
            .whereRef("hosts.version", "<", (query) => query.ref("excluded.version")),
        )
        .execute();
    },
    host: async (fleet, hostId) => (await present(fleet).where("hostId", "=", hostId).executeTakeFirst()) ?? null,
    hosts: (fleet) => present(fleet).orderBy("hostId").execute(),
    removeHost: async (fleet, hostId) => {
      await db
        .updateTable("hosts")
        .set({ removed: true })
        .where("fleet", "=", fleet)
        .where("hostId", "=", hostId)
        .execute();
    },
  };
}
