export interface QueryRequest {
  id: number;
  sql: string;
  parameters: readonly unknown[];
}

/** What the parent thread sends. */
export type WorkerRequest = ({ kind: "query" } & QueryRequest) | { kind: "close" };

/** An error as plain data: its class does not survive the way between threads. */
export interface ReportedError {
  message: string;
  /** SQLSTATE, when the database said one. */
  code?: string;
  /** The engine itself stopped: it answers nothing more, or computes for ever. */
  broken: boolean;
}

/** What the worker thread sends. */
export type WorkerReply =
  | { kind: "opened" }
  | { kind: "unopened"; error: ReportedError }
  | { kind: "result"; id: number; rows: Record<string, unknown>[]; affectedRows: number }
  | { kind: "failed"; id: number; error: ReportedError };
