import { mkdirSync } from "node:fs";
import type { Logger } from "pino";
import { openSqlStore } from "../sql-store.ts";
import type { Store } from "../store.ts";
import { acquireOwnerLock } from "./owner-lock.ts";
import { PgliteDriver } from "./pglite-driver.ts";

/**
 * Opens the embedded store in a folder of its own, creating it when absent, and migrates it. One process at a time.
 * Errors: STORE_LOCKED when another process owns the folder, STORE_UNREACHABLE, DISK_FULL.
 */
export async function openPgliteStore(options: { directory: string; logger?: Pick<Logger, "warn"> }): Promise<Store> {
  const { directory, logger } = options;
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const lock = acquireOwnerLock({
    directory,
    onTakeover: (pid) => logger?.warn({ directory, pid }, "took the embedded store over from a process that died"),
  });
  const driver = new PgliteDriver({
    directory,
    onReopen: () => logger?.warn({ directory }, "opening the embedded store again after its thread ended"),
    onDestroy: () => lock.release(),
  });
  return openSqlStore(driver);
}
