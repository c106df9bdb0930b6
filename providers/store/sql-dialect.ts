import {
  type DatabaseConnection,
  type Dialect,
  type Driver,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
} from "kysely";
import { storeError, unreachable } from "./store-errors.ts";

/** Kysely would take an advisory lock, which poolers and embedded Postgres do not share; `migrateStore` retries instead. */
class LocklessAdapter extends PostgresAdapter {
  override async acquireMigrationLock(): Promise<void> {}
  override async releaseMigrationLock(): Promise<void> {}
}

/** The Postgres dialect over any driver. */
export function createSqlDialect(driver: Driver): Dialect {
  return {
    createAdapter: () => new LocklessAdapter(),
    createDriver: () => driver,
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  };
}

async function mapped<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw storeError(error);
  }
}

/** The same driver with its errors mapped by `storeError`; once destroyed it answers STORE_UNREACHABLE. */
export function withStoreErrors(driver: Driver): Driver {
  let destroyed: Promise<void> | undefined;
  const originals = new WeakMap<DatabaseConnection, DatabaseConnection>();
  const original = (connection: DatabaseConnection): DatabaseConnection => originals.get(connection) ?? connection;
  return {
    init: () => mapped(() => driver.init()),
    acquireConnection: async () => {
      if (destroyed !== undefined) throw unreachable("it was closed");
      const connection = await mapped(() => driver.acquireConnection());
      const wrapper: DatabaseConnection = {
        executeQuery: (query) => mapped(() => connection.executeQuery(query)),
        streamQuery: (query, chunkSize) => connection.streamQuery(query, chunkSize),
      };
      originals.set(wrapper, connection);
      return wrapper;
    },
    beginTransaction: (connection, settings) => mapped(() => driver.beginTransaction(original(connection), settings)),
    commitTransaction: (connection) => mapped(() => driver.commitTransaction(original(connection))),
    rollbackTransaction: (connection) => mapped(() => driver.rollbackTransaction(original(connection))),
    releaseConnection: (connection) => driver.releaseConnection(original(connection)),
    destroy: () => (destroyed ??= driver.destroy()),
  };
}
