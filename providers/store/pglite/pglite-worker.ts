import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { PGlite } from "@electric-sql/pglite";
import { invariant } from "../../../domain/errors.ts";
import type { ReportedError, WorkerReply, WorkerRequest } from "./pglite-messages.ts";

let lastEngineError = "";

/** Opens the data folder; one whose creation was cut off holds nothing acknowledged and is made again. */
async function openDatabase(directory: string): Promise<PGlite> {
  const dataDirectory = join(directory, "data");
  const createdMark = join(directory, "created");
  if (!existsSync(createdMark)) rmSync(dataDirectory, { recursive: true, force: true });
  mkdirSync(dataDirectory, { recursive: true, mode: 0o700 });
  const database = await PGlite.create({ dataDir: dataDirectory, onStderr: noteEngineError, onStdout: () => true });
  writeFileSync(createdMark, "");
  return database;
}

/** What the engine prints as it stops says why; the exception that follows only says that it did. */
function noteEngineError(text: string): boolean {
  if (/PANIC|FATAL/.test(text)) lastEngineError = text.trim();
  return true;
}

/** A PANIC or FATAL ends the engine, and so does whatever is not a database error at all. */
function reported(error: unknown): ReportedError {
  const fields = typeof error === "object" && error !== null ? error : {};
  const message = error instanceof Error ? error.message : String(error);
  const severity = "severity" in fields ? fields.severity : undefined;
  if (!("code" in fields) || typeof fields.code !== "string") {
    return { message: `${message} ${lastEngineError}`.trim(), broken: true };
  }
  return { message, code: fields.code, broken: severity === "PANIC" || severity === "FATAL" };
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
try {
  await serve(parentPort, String(workerData));
} catch (error) {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  parentPort.postMessage({ kind: "unopened", error: reported(error) } satisfies WorkerReply);
}
