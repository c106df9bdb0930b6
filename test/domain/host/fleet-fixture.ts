import { array, boolean, constantFrom, integer, option, record, string, uuid, type Arbitrary } from "fast-check";
import type { FleetState, GoldenReference, HostRecord } from "../../../domain/host/fleet-state.ts";
import { emptyFleetState } from "../../../domain/host/fleet-state.ts";
import { hostStates } from "../../../domain/host/host-state.ts";
import type { FleetTemplate } from "../../../schema/fleet-template.ts";
import { fleetTemplateSchema } from "../../../schema/fleet-template.ts";

/** A template with every default, changed where a test wants it. */
export function templateOf(change: { maxUpdatingPercent?: number; zones?: string[] } = {}): FleetTemplate {
  return fleetTemplateSchema.parse({
    version: 1,
    fleet: "web",
    provider: { kind: "local", zones: change.zones ?? ["a", "b", "c"] },
    image: { source: "images/web" },
    applications: [{ name: "web", command: ["node", "server.mjs"], port: 8080 }],
    demand: { per_host: 30 },
    capacity: { max_hosts: 100 },
    golden: {
      files: [{ path: "web.json", content: "{}" }],
      max_updating_percent: change.maxUpdatingPercent ?? 10,
    },
  });
}

export function goldenOf(epoch: number, digest = `digest-${epoch}`): GoldenReference {
  return { epoch, digest, bundle: `bundle-${epoch}`, expiresAtMs: Date.UTC(2100, 0, 1), keyId: "key" };
}

/** A host that is verified standby at epoch 1 unless told otherwise. */
export function hostOf(ordinal: number, change: Partial<HostRecord> = {}): HostRecord {
  return {
    ordinal,
    zone: "a",
    state: "standby",
    sinceMs: 1000,
    epoch: 1,
    digest: "digest-1",
    verifiedAtMs: 1000 + ordinal,
    next: null,
    claimId: null,
    used: false,
    cordoned: false,
    ...change,
  };
}

export function fleetOf(hosts: HostRecord[], change: Partial<FleetState> = {}): FleetState {
  return {
    ...emptyFleetState("web"),
    template: templateOf(),
    templateVersion: 1,
    golden: goldenOf(1),
    hosts,
    nextOrdinal: hosts.length + 1,
    ...change,
  };
}

export const startMs = Date.UTC(2026, 0, 1);
const quarterMs = 90 * 86_400_000;

const digests = Array.from({ length: 4 }, (_, index) => String(index).repeat(64));

/** Hosts as they can stand in a fleet's state, their times within a quarter of a year. */
export const anyHost: Arbitrary<Omit<HostRecord, "ordinal">> = record({
  zone: constantFrom("a", "b", "eu-central-1c"),
  state: constantFrom(...hostStates),
  sinceMs: integer({ min: startMs, max: startMs + quarterMs }),
  epoch: integer({ min: 0, max: 99_999 }),
  digest: constantFrom("", ...digests),
  verifiedAtMs: option(integer({ min: startMs, max: startMs + quarterMs }), { nil: 0 }),
  next: constantFrom(null, "standby" as const, "serving" as const, "retire" as const),
  claimId: option(uuid(), { nil: null, freq: 2 }),
  used: boolean(),
  cordoned: boolean(),
});

const count = integer({ min: 0, max: 1_000_000 });

/** Whole states; ordinals rise with gaps, as after retirements. */
export const anyFleetState: Arbitrary<FleetState> = record({
  hosts: array(anyHost, { maxLength: 40 }),
  gap: integer({ min: 1, max: 1000 }),
  nextOrdinal: count,
  nextFence: count,
  stateVersion: count,
  tick: count,
  waiting: array(
    record({
      claimId: uuid(),
      source: constantFrom("demand" as const, "operator" as const),
      requestedAtMs: integer({ min: startMs, max: startMs + quarterMs }),
    }),
    { maxLength: 10 },
  ),
  granted: array(record({ claimId: uuid(), ordinal: count }), { maxLength: 10 }),
  endpoint: option(constantFrom("http://127.0.0.1:8080"), { nil: null }),
  goldenChange: option(record({ to: constantFrom(goldenOf(2), goldenOf(3)) }), { nil: null }),
  notices: array(record({ atMs: count, text: string() }), { maxLength: 5 }),
  counters: option(record({ startedAtMs: count, atMs: count, offered: count }), { nil: null }),
}).map(({ hosts, gap, ...rest }) => {
  const numbered = hosts.map((host, index): HostRecord => Object.assign({ ordinal: (index + 1) * gap }, host));
  return Object.assign(fleetOf(numbered), rest);
});
