import type { Command } from "commander";
import type { CliContext } from "./context.ts";
import { contextOf } from "./context.ts";
import type { FleetHandle } from "./fleet-handle.ts";
import type { Session } from "./session.ts";

export interface FleetContext extends CliContext {
  session: Session;
  fleet: FleetHandle;
  /** Web UI link of the fleet, or null. */
  link: string | null;
}

/** Connects, opens a fleet, runs the action and closes again, whatever happens. */
export async function withFleet<Answer>(
  command: Command,
  name: string,
  action: (context: FleetContext) => Promise<Answer>,
): Promise<Answer> {
  const context = contextOf(command);
  const [{ openSession }, { openFleet }] = await Promise.all([import("./session.ts"), import("./fleet-handle.ts")]);
  const session = await openSession(context.config);
  try {
    const fleet = openFleet(session.client, name);
    return await action({ ...context, session, fleet, link: session.link(fleet.workflowId) });
  } finally {
    await session.close();
  }
}
