import { expect, it } from "vitest";
import { ForewarmError } from "../../../domain/errors.ts";
import { storeError } from "../../../providers/store/store-errors.ts";

const databaseError = (code: string, message = "said the database") => Object.assign(new Error(message), { code });

it.each([
  ["53100", "DISK_FULL"],
  ["ENOSPC", "DISK_FULL"],
  ["08006", "STORE_UNREACHABLE"],
  ["28P01", "STORE_UNREACHABLE"],
  ["57P01", "STORE_UNREACHABLE"],
  ["53300", "STORE_UNREACHABLE"],
  ["57014", "STORE_UNREACHABLE"],
  ["ECONNREFUSED", "STORE_UNREACHABLE"],
  ["ENOTFOUND", "STORE_UNREACHABLE"],
])("maps %s to %s and keeps the cause", (code, expected) => {
  const cause = databaseError(code);
  expect(storeError(cause)).toMatchObject({ code: expected, retryable: true, cause });
});

it.each(["Connection terminated unexpectedly", "timeout exceeded when trying to connect"])(
  "maps the client's codeless error %j",
  (message) => expect(storeError(new Error(message))).toMatchObject({ code: "STORE_UNREACHABLE" }),
);

it("knows a full disk by its words when the engine gives no code", () => {
  expect(storeError(new Error("FATAL: could not write: No space left on device"))).toMatchObject({ code: "DISK_FULL" });
});

it.each(["23505", "42601", "40001"])("leaves %s, which is a defect or a conflict, as it is", (code) => {
  const error = databaseError(code);
  expect(storeError(error)).toBe(error);
});

it("leaves an error of the catalogue as it is", () => {
  const error = new ForewarmError("BLOB_INVALID", "chunk 1");
  expect(storeError(error)).toBe(error);
});
