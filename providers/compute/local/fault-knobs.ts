import { z } from "zod";

const zoneName = z.string().regex(/^[a-z][a-z0-9-]{0,30}$/);
const share = z.number().min(0).max(1);
const delay = { p50Seconds: z.number().min(0).max(600), p90Seconds: z.number().min(0).max(3600) };
const machineId = z.string().min(1);
const enabled = z.boolean();

/** One fault to play on the rack. Those with `enabled` or a value stay until changed; the others happen once. */
export const faultSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("boot-delay"), ...delay }),
  /** Share of boots that hang for ever. */
  z.strictObject({ kind: z.literal("launch-failure"), share }),
  z.strictObject({ kind: z.literal("hang-boot"), enabled }),
  z.strictObject({ kind: z.literal("insufficient-capacity"), zone: zoneName, enabled }),
  z.strictObject({ kind: z.literal("zone-capacity"), zone: zoneName, hostsMax: z.number().int().min(0) }),
  z.strictObject({ kind: z.literal("zone-loss"), zone: zoneName, effect: z.enum(["crash", "freeze"]) }),
  z.strictObject({ kind: z.literal("zone-return"), zone: zoneName }),
  z.strictObject({ kind: z.literal("refuse-ssh"), machineId, enabled }),
  z.strictObject({ kind: z.literal("crash"), machineId }),
  z.strictObject({ kind: z.literal("freeze"), machineId, enabled }),
  /** The host runs only this share of the time; 1 is full speed. */
  z.strictObject({ kind: z.literal("slow"), machineId, runShare: z.number().min(0.02).max(1) }),
  /** Announces the loss of the machine, then terminates it when the grace is over. */
  z.strictObject({ kind: z.literal("reclaim"), machineId, graceSeconds: z.number().min(0).max(86_400) }),
  /** The host shows another key than the one recorded at its launch. */
  z.strictObject({ kind: z.literal("host-key"), machineId, changed: z.boolean() }),
  /** Every lasting fault of rack, zones and hosts ends. */
  z.strictObject({ kind: z.literal("reset") }),
]);
export type RackFault = z.infer<typeof faultSchema>;
export type MachineFault = Extract<RackFault, { machineId: string }>;
export type RackWideFault = Exclude<RackFault, { machineId: string }>;

const zoneKnobsSchema = z.strictObject({
  hostsMax: z.number().int().nullable(),
  lost: z.boolean(),
  full: z.boolean(),
});

export const faultKnobsSchema = z.strictObject({
  bootDelay: z.strictObject(delay),
  launchFailureShare: share,
  hangBoot: z.boolean(),
  zones: z.record(z.string(), zoneKnobsSchema),
});
export type FaultKnobs = z.infer<typeof faultKnobsSchema>;
type ZoneKnobs = z.infer<typeof zoneKnobsSchema>;

/** No faults: machines boot in about a second. */
export const defaultKnobs: FaultKnobs = {
  bootDelay: { p50Seconds: 1, p90Seconds: 2 },
  launchFailureShare: 0,
  hangBoot: false,
  zones: {},
};

const defaultZone: ZoneKnobs = { hostsMax: null, lost: false, full: false };

export function zoneKnobs(knobs: FaultKnobs, zone: string): ZoneKnobs {
  return knobs.zones[zone] ?? defaultZone;
}

function withZone(knobs: FaultKnobs, zone: string, change: Partial<ZoneKnobs>): FaultKnobs {
  return { ...knobs, zones: { ...knobs.zones, [zone]: { ...zoneKnobs(knobs, zone), ...change } } };
}

/** The knobs after a fault of the whole rack or of one zone. */
export function turnKnob(knobs: FaultKnobs, fault: RackWideFault): FaultKnobs {
  switch (fault.kind) {
    case "boot-delay":
      return { ...knobs, bootDelay: { p50Seconds: fault.p50Seconds, p90Seconds: fault.p90Seconds } };
    case "launch-failure":
      return { ...knobs, launchFailureShare: fault.share };
    case "hang-boot":
      return { ...knobs, hangBoot: fault.enabled };
    case "insufficient-capacity":
      return withZone(knobs, fault.zone, { full: fault.enabled });
    case "zone-capacity":
      return withZone(knobs, fault.zone, { hostsMax: fault.hostsMax });
    case "zone-loss":
      return withZone(knobs, fault.zone, { lost: true });
    case "zone-return":
      return withZone(knobs, fault.zone, { lost: false });
    case "reset":
      return defaultKnobs;
    default:
      return fault satisfies never;
  }
}
