import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { PGlite } from "@electric-sql/pglite";
import { invariant } from "../../../domain/errors.ts";
import type { ReportedError, WorkerReply, WorkerRequest } from "./pglite-messages.ts";

/** Opens the data folder; one whose creation was cut off holds nothing acknowledged and is made again. */
async function openDatabase(directory: string): Promise<PGlite> {
  const dataDirectory = join(directory, "data");
  const createdMark = join(directory, "created");
  if (!existsSync(createdMark)) rmSync(dataDirectory, { recursive: true, force: true });
  mkdirSync(dataDirectory, { recursive: true, mode: 0o700 });
  const database = await PGlite.create(dataDirectory);
  writeFileSync(createdMark, "");
  return database;
}

function reported(error: unknown): ReportedError {
  const message = error instanceof Error ? error.message : String(error);
  const code = typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
  return typeof code === "string" ? { message, code } : { message };
}

async function answer(database: PGlite, request: WorkerRequest & { kind: "query" }): Promise<WorkerReply> {
  try {
    const result = await database.query<Record<string, unknown>>(request.sql, [...request.parameters]);
    return { kind: "result", id: request.id, rows: result.rows, affectedRows: result.affectedRows ?? 0 };
  } catch (error) {
    return { kind: "failed", id: request.id, error: reported(error) };
  }
}

async function serve(port: MessagePort, directory: string): Promise<void> {
  const database = await openDatabase(directory);
  const handle = async (request: WorkerRequest): Promise<void> => {
    if (request.kind === "query") {
      port.postMessage(await answer(database, request));
      return;
    }
    await database.close();
    port.close();
  };
  port.on("message", (request: WorkerRequest) => void handle(request));
  port.postMessage({ kind: "opened" } satisfies WorkerReply);
}

invariant(parentPort !== null, "pglite-worker runs in a worker thread only");
await serve(parentPort, String(workerData));
