import { CompiledQuery, type DatabaseConnection, type Driver, type QueryResult } from "kysely";
import { unreachable } from "../store-errors.ts";
import { PgliteThread } from "./pglite-thread.ts";

class PgliteConnection implements DatabaseConnection {
  readonly #thread: PgliteThread;
  readonly free: () => void;

  constructor(thread: PgliteThread, free: () => void) {
    this.#thread = thread;
    this.free = free;
  }

  async executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
    const { rows, affectedRows } = await this.#thread.query(query.sql, query.parameters);
    return { rows: rows as Row[], numAffectedRows: BigInt(affectedRows) };
  }

  // oxlint-disable-next-line require-yield -- the interface asks for a generator; the store streams nothing
  async *streamQuery<Row>(): AsyncIterableIterator<QueryResult<Row>> {
    throw new Error("the embedded database does not stream");
  }
}

interface DriverOptions {
  directory: string;
  onReopen(): void;
  /** Called once the thread has ended. */
  onDestroy(): void;
}

/** One session for all: a connection is lent to one caller at a time. A thread that died is opened again at the next loan. */
export class PgliteDriver implements Driver {
  readonly #options: DriverOptions;
  #thread: PgliteThread | undefined;
  #lastLoan: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: DriverOptions) {
    this.#options = options;
  }

  async init(): Promise<void> {
    this.#thread = await PgliteThread.open(this.#options.directory);
  }

  async acquireConnection(): Promise<DatabaseConnection> {
    const previous = this.#lastLoan;
    let free: () => void = () => undefined;
    this.#lastLoan = new Promise((resolve) => {
      free = resolve;
    });
    await previous;
    try {
      return new PgliteConnection(await this.#liveThread(), free);
    } catch (error) {
      free();
      throw error;
    }
  }

  async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw("begin"));
  }

  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw("commit"));
  }

  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw("rollback"));
  }

  async releaseConnection(connection: DatabaseConnection): Promise<void> {
    if (connection instanceof PgliteConnection) connection.free();
  }

  /** Waits for what was asked before, then ends the thread. */
  async destroy(): Promise<void> {
    this.#closed = true;
    await this.#lastLoan;
    await this.#thread?.close();
    this.#options.onDestroy();
  }

  async #liveThread(): Promise<PgliteThread> {
    if (this.#closed) throw unreachable("it was closed");
    if (this.#thread === undefined || this.#thread.ended) {
      this.#options.onReopen();
      this.#thread = await PgliteThread.open(this.#options.directory);
    }
    return this.#thread;
  }
}
