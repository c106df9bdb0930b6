import { ApplicationFailure } from "@temporalio/activity";
import { describe, expect, test } from "vitest";
import { translateErrors } from "../../activities/translate-errors.ts";
import { errorCatalogue, ForewarmError, type ErrorCode } from "../../domain/errors.ts";

const codes = Object.keys(errorCatalogue) as ErrorCode[];

async function failureOf(error: unknown): Promise<unknown> {
  const { work } = translateErrors({
    work: async () => {
      throw error;
    },
  });
  return work().then(
    () => null,
    (failure: unknown) => failure,
  );
}

describe("translateErrors", () => {
  test.each(codes)("%s keeps its code, its message, and whether trying again can help", async (code) => {
    const cause = new ForewarmError(code, "the thing web-1 went wrong");
    const failure = await failureOf(cause);
    expect(failure).toBeInstanceOf(ApplicationFailure);
    expect(failure).toMatchObject({
      type: code,
      message: "the thing web-1 went wrong",
      nonRetryable: !errorCatalogue[code].retryable,
      cause,
    });
  });

  test("leaves other errors as they are, so that Temporal retries them", async () => {
    const error = new TypeError("a defect");
    expect(await failureOf(error)).toBe(error);
  });

  test("hands arguments in and answers out", async () => {
    const { add } = translateErrors({ add: async (left: number, right: number) => left + right });
    expect(await add(2, 3)).toBe(5);
  });
});
