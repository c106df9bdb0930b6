import { z } from "zod";
import { limits } from "../../../domain/limits.ts";
import type { ProviderEvent } from "../compute-provider.ts";
import { bury, emptyLaunchMemory } from "../launch-memory.ts";
import type { LaunchMemory } from "../launch-memory.ts";
import { defaultKnobs, faultKnobsSchema } from "./fault-knobs.ts";
import type { FaultKnobs } from "./fault-knobs.ts";
import { endpointSchema, eventSchema, machineSchema } from "./rack-schema.ts";

const processIdSchema = z.strictObject({ pid: z.number().int(), startedAt: z.string() });

/** All that the rack knows of one host; what is needed to bring it back after a crash of the rack. */
export const hostRecordSchema = z.strictObject({
  machine: machineSchema.extend({ endpoint: endpointSchema }),
  image: z.string(),
  authorizedKey: z.string(),
  hostKey: z.string(),
  /** Shown instead of `hostKey` while the changed-key fault is on. */
  changedHostKey: z.string().nullable(),
  boots: z.number().int(),
  /** When the boot under way ends; null when it never does, or none is under way. */
  bootReadyAtMs: z.number().nullable(),
  /** First process of the running host: its end is the end of the host. */
  init: processIdSchema.nullable(),
  frozen: z.boolean(),
  refuseSsh: z.boolean(),
  runShare: z.number(),
  reclaimAtMs: z.number().nullable(),
});
export type HostRecord = z.infer<typeof hostRecordSchema>;

/** One line of the journal. */
export const journalEntrySchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("rack"), rackId: z.string(), computerBootId: z.string() }),
  z.strictObject({
    kind: z.literal("launch"),
    requestId: z.string(),
    fingerprint: z.string(),
    machineIds: z.array(z.string()),
    hosts: z.array(hostRecordSchema),
  }),
  z.strictObject({ kind: z.literal("host"), host: hostRecordSchema }),
  z.strictObject({ kind: z.literal("tombstones"), requestId: z.string(), ordinals: z.array(z.number().int()) }),
  z.strictObject({ kind: z.literal("event"), event: eventSchema }),
  z.strictObject({ kind: z.literal("knobs"), knobs: faultKnobsSchema }),
]);
export type JournalEntry = z.infer<typeof journalEntrySchema>;
export type LaunchEntry = Extract<JournalEntry, { kind: "launch" }>;

export interface RackState extends LaunchMemory {
  rackId: string;
  computerBootId: string;
  hosts: Map<string, HostRecord>;
  events: ProviderEvent[];
  knobs: FaultKnobs;
}

export function emptyRackState(): RackState {
  return {
    ...emptyLaunchMemory(),
    rackId: "",
    computerBootId: "",
    hosts: new Map(),
    events: [],
    knobs: defaultKnobs,
  };
}

/** The state after one journal entry. */
export function applyEntry(state: RackState, entry: JournalEntry): void {
  switch (entry.kind) {
    case "rack":
      state.rackId = entry.rackId;
      state.computerBootId = entry.computerBootId;
      return;
    case "launch": {
      const { requestId, fingerprint, machineIds } = entry;
      state.launches.set(requestId, { fingerprint, machineIds });
      for (const host of entry.hosts) state.hosts.set(host.machine.machineId, host);
      return;
    }
    case "host":
      state.hosts.set(entry.host.machine.machineId, entry.host);
      return;
    case "tombstones":
      bury(state, entry.requestId, entry.ordinals);
      return;
    case "event":
      state.events.push(entry.event);
      return;
    case "knobs":
      state.knobs = entry.knobs;
      return;
  }
}

/** The state as if a launch had never been; its request can then be made anew. */
export function withdrawLaunch(state: RackState, { requestId, machineIds }: LaunchEntry): void {
  state.launches.delete(requestId);
  for (const machineId of machineIds) state.hosts.delete(machineId);
}

function keepNewest(kept: Map<string, unknown>, max: number): void {
  for (const key of [...kept.keys()].slice(0, -max)) kept.delete(key);
}

/** Forgets the oldest ended machines, requests and events beyond their bounds. */
export function forgetOldest(state: RackState): void {
  const ended = [...state.hosts.values()].filter((host) => host.machine.state === "terminated");
  for (const host of ended.slice(0, -limits.rackEndedMachinesMax)) state.hosts.delete(host.machine.machineId);
  keepNewest(state.launches, limits.rackRequestsMax);
  keepNewest(state.tombstones, limits.rackRequestsMax);
  state.events.splice(0, state.events.length - limits.rackEventsMax);
}

/** The shortest journal that leads to this state. */
export function snapshotEntries(state: RackState): JournalEntry[] {
  const launches = [...state.launches].map(([requestId, { fingerprint, machineIds }]): JournalEntry => {
    return { kind: "launch", requestId, fingerprint, machineIds, hosts: [] };
  });
  const tombstones = [...state.tombstones].map(([requestId, ordinals]): JournalEntry => {
    return { kind: "tombstones", requestId, ordinals: [...ordinals] };
  });
  return [
    { kind: "rack", rackId: state.rackId, computerBootId: state.computerBootId },
    ...launches,
    ...tombstones,
    ...[...state.hosts.values()].map((host): JournalEntry => ({ kind: "host", host })),
    ...state.events.map((event): JournalEntry => ({ kind: "event", event })),
    { kind: "knobs", knobs: state.knobs },
  ];
}
