import type { RackFault } from "./fault-knobs.ts";
import { callRack } from "./rack-client.ts";
import { nothingSchema } from "./rack-schema.ts";

export type { RackFault } from "./fault-knobs.ts";

/** Plays one fault on the rack behind a control socket; throws NOT_FOUND for an unknown machine. */
export function rackFaults(socketPath: string): (fault: RackFault) => Promise<void> {
  return async (fault) => {
    await callRack(socketPath, { verb: "faults", method: "PUT", body: fault, answer: nothingSchema });
  };
}
