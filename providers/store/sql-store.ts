import { CamelCasePlugin, type Driver, Kysely } from "kysely";
import { createBlobTable } from "./blobs.ts";
import { createClaimTable } from "./claims.ts";
import { createDecisionTable } from "./decisions.ts";
import { createDemandTable } from "./demand.ts";
import { createEventTable } from "./events.ts";
import { createForecastTable } from "./forecasts.ts";
import { createHostTable } from "./hosts.ts";
import { createLeadTimeTable } from "./lead-times.ts";
import { migrateStore } from "./migrations.ts";
import type { StoreTables } from "./schema.ts";
import { createSqlDialect, withStoreErrors } from "./sql-dialect.ts";
import type { Store } from "./store.ts";

/**
 * The store over any Postgres driver: migrates, then answers. The driver is destroyed when the store closes and when
 * opening fails. Errors: STORE_UNREACHABLE, DISK_FULL.
 */
export async function openSqlStore(bareDriver: Driver): Promise<Store> {
  const driver = withStoreErrors(bareDriver);
  const db = new Kysely<StoreTables>({
    dialect: createSqlDialect(driver),
    plugins: [new CamelCasePlugin({ maintainNestedObjectKeys: true })],
  });
  // Kysely destroys a driver only after it opened; this way a lock is given back also when it did not.
  const close = () => driver.destroy();
  try {
    await migrateStore(db);
  } catch (error) {
    await close();
    throw error;
  }
  return createSqlStore(db, close);
}

function createSqlStore(db: Kysely<StoreTables>, close: () => Promise<void>): Store {
  return {
    ...createDemandTable(db),
    ...createLeadTimeTable(db),
    ...createHostTable(db),
    ...createClaimTable(db),
    ...createForecastTable(db),
    ...createDecisionTable(db),
    ...createEventTable(db),
    ...createBlobTable(db),
    close,
  };
}
