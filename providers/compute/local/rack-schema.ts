import { z } from "zod";
import type { HostEndpoint } from "../../../domain/host/host-endpoint.ts";
import { limits } from "../../../domain/limits.ts";
import type {
  ComputeCapabilities,
  LaunchRequest,
  Machine,
  MachineFilter,
  ProviderEvent,
  ZoneLimits,
} from "../compute-provider.ts";

const port = z.number().int().min(1).max(65_535);
const label = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, "letters, digits, dots, dashes, at most 63");

export const endpointSchema = z.strictObject({
  hostId: z.string(),
  machineId: z.string(),
  zone: z.string(),
  address: z.string(),
  sshPort: port,
  sshUser: z.string(),
  hostKeyFingerprint: z.string(),
  servicePort: port,
}) satisfies z.ZodType<HostEndpoint>;

export const machineSchema = z.strictObject({
  machineId: z.string(),
  hostId: z.string(),
  fleet: z.string(),
  requestId: z.string(),
  ordinal: z.number().int(),
  zone: z.string(),
  state: z.enum(["pending", "running", "stopped", "terminated"]),
  endpoint: endpointSchema.nullable(),
  launchedAtMs: z.number(),
}) satisfies z.ZodType<Machine>;

export const eventSchema = z.strictObject({
  sequence: z.number().int(),
  machineId: z.string(),
  kind: z.enum(["reclaim-notice", "crashed", "zone-lost"]),
  atMs: z.number(),
  detail: z.string(),
}) satisfies z.ZodType<ProviderEvent>;

export const launchRequestSchema = z.strictObject({
  requestId: z.string().min(1).max(256),
  fleet: label,
  image: z.string().startsWith("/", "an absolute path of an image folder"),
  hosts: z
    .array(
      z.strictObject({
        hostId: label,
        ordinal: z.number().int().min(0),
        zone: z.string().regex(/^[a-z][a-z0-9-]{0,30}$/),
      }),
    )
    .max(limits.launchBatchHostsMax),
  authorizedKey: z.string().min(1).max(16_384),
  servicePort: port.optional(),
});

export const capabilitiesSchema = z.strictObject({
  stop: z.boolean(),
  hibernate: z.boolean(),
  console: z.boolean(),
  events: z.boolean(),
  network: z.boolean(),
  volumes: z.boolean(),
  snapshots: z.boolean(),
  isolation: z.string(),
}) satisfies z.ZodType<ComputeCapabilities>;

export const zoneLimitsSchema = z.strictObject({
  zone: z.string(),
  available: z.boolean(),
  hostsMax: z.number().int(),
  hostsUsed: z.number().int(),
}) satisfies z.ZodType<ZoneLimits>;

export const filterSchema = z.strictObject({
  fleet: z.string().optional(),
  requestId: z.string().optional(),
  machineIds: z.array(z.string()).optional(),
});
export const machineIdSchema = z.strictObject({ machineId: z.string() });
export const machineIdsSchema = z.strictObject({ machineIds: z.array(z.string()) });
export const requestOrdinalsSchema = z.strictObject({
  requestId: z.string().min(1),
  ordinals: z.array(z.number().int().min(0)),
});
export const afterSchema = z.strictObject({ after: z.number().int() });
export const nothingSchema = z.strictObject({});

/** A launch request as the rack has parsed it; the port's type, with an absent port as undefined. */
export type ParsedLaunchRequest = z.infer<typeof launchRequestSchema>;

/** The port's request from the parsed one: exact optional properties tell an absent port from an undefined one. */
export function toLaunchRequest({ servicePort, ...request }: ParsedLaunchRequest): LaunchRequest {
  return servicePort === undefined ? request : { ...request, servicePort };
}

/** The port's filter from the parsed one. */
export function toFilter({ fleet, requestId, machineIds }: z.infer<typeof filterSchema>): MachineFilter {
  return {
    ...(fleet === undefined ? {} : { fleet }),
    ...(requestId === undefined ? {} : { requestId }),
    ...(machineIds === undefined ? {} : { machineIds }),
  };
}
