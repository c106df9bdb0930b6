import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { storeError, unreachable } from "../store-errors.ts";
import type { ReportedError, WorkerReply, WorkerRequest } from "./pglite-messages.ts";

interface QueryResult {
  rows: Record<string, unknown>[];
  affectedRows: number;
}

interface Waiting {
  resolve(result: QueryResult): void;
  reject(error: unknown): void;
}

/** The worker file beside this one; as source it needs the loader that runs TypeScript. */
function startWorker(directory: string): Worker {
  const extension = import.meta.url.endsWith(".ts") ? ".ts" : ".js";
  const loader =
    extension === ".ts" ? ["--import", pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href] : [];
  return new Worker(new URL(`./pglite-worker${extension}`, import.meta.url), {
    workerData: directory,
    execArgv: loader,
  });
}

function errorOf({ message, code }: ReportedError): unknown {
  return storeError(Object.assign(new Error(message), code === undefined ? {} : { code }));
}

/**
 * PGlite in a thread of its own, because it computes on the thread that calls it. When the thread ends, for whatever
 * reason, everything in flight fails with STORE_UNREACHABLE and `ended` is true for good: open another one.
 */
export class PgliteThread {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  readonly #exited: Promise<void>;
  #lastId = 0;
  #endReason: string | undefined;

  private constructor(worker: Worker) {
    this.#worker = worker;
    worker.on("message", (reply: WorkerReply) => this.#settle(reply));
    worker.on("error", (error) => this.#end(error.message));
    this.#exited = new Promise((resolve) => {
      worker.once("exit", (code) => {
        this.#end(`its thread ended with code ${code}`);
        resolve();
      });
    });
  }

  /** Errors: STORE_UNREACHABLE when the folder cannot be opened, DISK_FULL. */
  static async open(directory: string): Promise<PgliteThread> {
    const worker = startWorker(directory);
    const thread = new PgliteThread(worker);
    await new Promise<void>((resolve, reject) => {
      worker.once("message", () => resolve());
      worker.once("error", (error) => reject(openingError(directory, error)));
      worker.once("exit", () => reject(unreachable(`the embedded database in ${directory} did not open`)));
    });
    return thread;
  }

  get ended(): boolean {
    return this.#endReason !== undefined;
  }

  /** The thread's id while it lives. */
  get threadId(): number {
    return this.#worker.threadId;
  }

  query(sql: string, parameters: readonly unknown[]): Promise<QueryResult> {
    if (this.#endReason !== undefined) return Promise.reject(unreachable(this.#endReason));
    const id = (this.#lastId += 1);
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#post({ kind: "query", id, sql, parameters });
    });
  }

  /** Ends the thread after what it was asked before; safe to call twice. */
  async close(): Promise<void> {
    if (!this.ended) this.#post({ kind: "close" });
    await this.#exited;
  }

  /** Ends the thread at once, in the middle of whatever it does. */
  async terminate(): Promise<void> {
    await this.#worker.terminate();
    await this.#exited;
  }

  #post(request: WorkerRequest): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
    this.#worker.postMessage(request);
  }

  #settle(reply: WorkerReply): void {
    if (reply.kind === "opened") return;
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if (reply.kind === "result") {
      waiting?.resolve(reply);
      return;
    }
    waiting?.reject(errorOf(reply.error));
    if (reply.error.code === undefined) this.#breakOff(reply.error.message);
  }

  /** An error without an SQLSTATE is the engine's own end: the thread still runs but its database no longer answers. */
  #breakOff(reason: string): void {
    this.#end(reason);
    void this.#worker.terminate();
  }

  #end(reason: string): void {
    this.#endReason ??= reason;
    for (const waiting of this.#waiting.values()) waiting.reject(unreachable(this.#endReason));
    this.#waiting.clear();
  }
}

function openingError(directory: string, error: Error): unknown {
  const known = storeError(error);
  return known === error
    ? unreachable(`the embedded database in ${directory} did not open: ${error.message}`, error)
    : known;
}
