import { MockActivityEnvironment } from "@temporalio/testing";
import { DefaultLogger } from "@temporalio/worker";

type Info = ConstructorParameters<typeof MockActivityEnvironment>[0];

/** Runs work as an activity; only errors of the machinery itself are printed. */
export async function asActivity<Answer>(work: () => Promise<Answer>, info?: Info): Promise<Answer> {
  return new MockActivityEnvironment(info, { logger: new DefaultLogger("ERROR") }).run(work);
}
