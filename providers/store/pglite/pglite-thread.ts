import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { ForewarmError } from "../../../domain/errors.ts";
import { storeError, unreachable } from "../store-errors.ts";
import type { ReportedError, WorkerReply, WorkerRequest } from "./pglite-messages.ts";

/** An engine that met a full disk can compute for ever; a thread that owes an answer for this long is ended. */
const answerTimeoutMs = 30_000;
const openTimeoutMs = 120_000;

interface QueryResult {
  rows: Record<string, unknown>[];
  affectedRows: number;
}

interface Waiting {
  resolve(result: QueryResult): void;
  reject(error: unknown): void;
  timer: NodeJS.Timeout;
}

/** Node 20 does not hand `--import tsx` on to threads, so a thread that runs from source registers the loader itself. */
function sourceLoader(): string[] {
  const { href } = new URL("esm/api/index.mjs", pathToFileURL(createRequire(import.meta.url).resolve("tsx")));
  return ["--import", `data:text/javascript,import { register } from ${JSON.stringify(href)}; register();`];
}

/** The worker file beside this one, as source or as built. */
function startWorker(directory: string): Worker {
  const extension = import.meta.url.endsWith(".ts") ? ".ts" : ".js";
  return new Worker(new URL(`./pglite-worker${extension}`, import.meta.url), {
    workerData: directory,
    execArgv: extension === ".ts" ? sourceLoader() : [],
  });
}

/** The error as the caller sees it: an engine that stopped is STORE_UNREACHABLE unless it named a cure of its own. */
function errorOf({ message, code, broken }: ReportedError): unknown {
  const raw = Object.assign(new Error(message), code === undefined ? {} : { code });
  const error = storeError(raw);
  return broken && !(error instanceof ForewarmError) ? unreachable(message, raw) : error;
}

/**
 * PGlite in a thread of its own, because it computes on the thread that calls it. When the thread or its engine ends,
 * for whatever reason, everything in flight fails with STORE_UNREACHABLE and `ended` is true for good: open another one.
 */
export class PgliteThread {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  readonly #exited: Promise<void>;
  #opening: { resolve(): void; reject(error: unknown): void } | undefined;
  #lastId = 0;
  #endReason: string | undefined;

  private constructor(directory: string) {
    this.#worker = startWorker(directory);
    this.#worker.on("message", (reply: WorkerReply) => this.#settle(reply));
    this.#worker.on("error", (error) => this.#end(error.message));
    this.#exited = new Promise((resolve) => {
      this.#worker.once("exit", (code) => {
        this.#end(`its thread ended with code ${code}`);
        resolve();
      });
    });
  }

  /** Errors: STORE_UNREACHABLE when the folder cannot be opened, DISK_FULL. */
  static async open(directory: string): Promise<PgliteThread> {
    const thread = new PgliteThread(directory);
    const timer = setTimeout(() => thread.#breakOff(`it did not open within ${openTimeoutMs} ms`), openTimeoutMs);
    try {
      await new Promise<void>((resolve, reject) => {
        thread.#opening = { resolve, reject };
      });
    } catch (error) {
      await thread.#exited;
      throw error;
    } finally {
      clearTimeout(timer);
    }
    return thread;
  }

  get ended(): boolean {
    return this.#endReason !== undefined;
  }

  /** Errors: STORE_UNREACHABLE, DISK_FULL, and the database's own with its SQLSTATE as `code`. */
  query(sql: string, parameters: readonly unknown[]): Promise<QueryResult> {
    if (this.#endReason !== undefined) return Promise.reject(unreachable(this.#endReason));
    const id = (this.#lastId += 1);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#breakOff(`no answer within ${answerTimeoutMs} ms`), answerTimeoutMs);
      this.#waiting.set(id, { resolve, reject, timer });
      this.#post({ kind: "query", id, sql, parameters });
    });
  }

  /** Ends the thread after what it was asked before; safe to call twice. */
  async close(): Promise<void> {
    const timer = setTimeout(() => this.#breakOff(`it did not close within ${answerTimeoutMs} ms`), answerTimeoutMs);
    if (!this.ended) this.#post({ kind: "close" });
    await this.#exited;
    clearTimeout(timer);
  }

  #post(request: WorkerRequest): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
    this.#worker.postMessage(request);
  }

  #settle(reply: WorkerReply): void {
    switch (reply.kind) {
      case "opened":
        this.#opening?.resolve();
        return;
      case "unopened":
        this.#opening?.reject(errorOf(reply.error));
        this.#breakOff(reply.error.message);
        return;
      case "result":
        this.#take(reply.id)?.resolve(reply);
        return;
      case "failed":
        this.#take(reply.id)?.reject(errorOf(reply.error));
        if (reply.error.broken) this.#breakOff(reply.error.message);
    }
  }

  #take(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    clearTimeout(waiting?.timer);
    this.#waiting.delete(id);
    return waiting;
  }

  #breakOff(reason: string): void {
    this.#end(reason);
    void this.#worker.terminate();
  }

  #end(reason: string): void {
    this.#endReason ??= reason;
    this.#opening?.reject(unreachable(this.#endReason));
    for (const id of this.#waiting.keys()) this.#take(id)?.reject(unreachable(this.#endReason));
  }
}
