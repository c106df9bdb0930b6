import { isForewarmError } from "../domain/errors.ts";
import { openPgliteStore } from "../providers/store/pglite/open-pglite-store.ts";
import { openPostgresStore } from "../providers/store/postgres/open-postgres-store.ts";
import type { Store } from "../providers/store/store.ts";
import type { WorkerConfig } from "./config.ts";
import { readWorkerConfig } from "./config.ts";

function openStore(config: WorkerConfig): Promise<Store> {
  if (config.databaseUrl !== null) return openPostgresStore({ connectionString: config.databaseUrl });
  return openPgliteStore({ directory: config.storeDirectory });
}

async function main(): Promise<void> {
  const config = readWorkerConfig();
  // It opens in a thread of its own while the rest is loaded: claims wait for a worker that starts again.
  const store = openStore(config);
  store.catch(() => undefined);
  const { runWorker } = await import("./run-worker.ts");
  await runWorker(config, store);
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    const text = isForewarmError(error) ? `error ${error.code}: ${error.message}\n${error.cure}` : String(error);
    process.stderr.write(`${text}\n`);
    process.exit(1);
  },
);
