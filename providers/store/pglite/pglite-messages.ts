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
  /** SQLSTATE; absent when the engine itself broke, after which it answers nothing more. */
  code?: string;
}

/** What the worker thread sends. */
export type WorkerReply =
  | { kind: "opened" }
  | { kind: "result"; id: number; rows: Record<string, unknown>[]; affectedRows: number }
  | { kind: "failed"; id: number; error: ReportedError };
