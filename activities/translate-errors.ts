import { ApplicationFailure } from "@temporalio/activity";
import { isForewarmError } from "../domain/errors.ts";

type Activity<Arguments extends unknown[], Answer> = (...args: Arguments) => Promise<Answer>;

function asFailure(error: unknown): unknown {
  if (!isForewarmError(error)) return error;
  return ApplicationFailure.create({
    type: error.code,
    message: error.message,
    nonRetryable: !error.retryable,
    cause: error,
  });
}

/** Gives every activity of a group the same translation: an error's code becomes the failure's type, and decides retries. */
export function translateErrors<Group extends Record<string, Activity<never[], unknown>>>(group: Group): Group {
  const wrapped = Object.entries(group).map(([name, activity]) => [
    name,
    async (...args: never[]) => {
      try {
        return await activity(...args);
      } catch (error) {
        throw asFailure(error);
      }
    },
  ]);
  return Object.fromEntries(wrapped) as Group;
}
