import { limits } from "../../domain/limits.ts";
import type { Page, PageRequest } from "./store.ts";

/** Where a page begins and how many rows to ask for: one more than it shows, which tells whether another follows. */
export function pageBounds(request: PageRequest): { after: number; limit: number } {
  const limit = Math.min(Math.max(1, request.limit ?? limits.lookUpPageRowsMax), limits.lookUpPageRowsMax);
  return { after: request.after ?? 0, limit: limit + 1 };
}

/** Cuts the surplus row off and takes the cursor from the last row shown. */
export function pageOf<Row extends { number: number }>(rows: Row[], limit: number): Page<Omit<Row, "number">> {
  const shown = rows.slice(0, limit - 1);
  return {
    rows: shown.map(({ number: _number, ...row }) => row),
    next: rows.length === limit ? (shown.at(-1)?.number ?? null) : null,
  };
}
