import { z } from "zod";
import type { ComputeProvider } from "../compute-provider.ts";
import { callRack } from "./rack-client.ts";
import { capabilitiesSchema, eventSchema, machineSchema, nothingSchema, zoneLimitsSchema } from "./rack-schema.ts";

const machinesSchema = z.array(machineSchema);

/** Hosts on this computer, kept by the rack process behind a Unix socket. */
export function createLocalComputeProvider({ socketPath }: { socketPath: string }): ComputeProvider {
  const order = async (verb: string, body: unknown, signal?: AbortSignal) => {
    await callRack(socketPath, { verb, body, answer: nothingSchema, signal });
  };
  return {
    capabilities: () => callRack(socketPath, { verb: "capabilities", answer: capabilitiesSchema }),
    limits: () => callRack(socketPath, { verb: "limits", answer: z.array(zoneLimitsSchema) }),
    launch: (body, signal) => callRack(socketPath, { verb: "launch", body, answer: machinesSchema, signal }),
    describe: (body, signal) => callRack(socketPath, { verb: "describe", body, answer: machinesSchema, signal }),
    terminate: (machineIds, signal) => order("terminate", { machineIds }, signal),
    terminateRequest: (requestId, ordinals, signal) => order("terminate-request", { requestId, ordinals }, signal),
    stop: (machineId, signal) => order("stop", { machineId }, signal),
    start: (machineId, signal) => order("start", { machineId }, signal),
    console: async (machineId) => {
      const answer = z.strictObject({ text: z.string() });
      return (await callRack(socketPath, { verb: "console", body: { machineId }, answer })).text;
    },
    events: (after) => callRack(socketPath, { verb: "events", body: { after }, answer: z.array(eventSchema) }),
    // Every call has its own connection, so nothing is left to close.
    close: async () => {},
  };
}
