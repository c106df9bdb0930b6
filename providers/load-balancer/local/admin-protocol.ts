import { z } from "zod";
import { limits } from "../../../domain/limits.ts";
import type { LoadBalancerCapabilities, LoadBalancerState, LoadBalancerStats } from "../load-balancer.ts";

const port = z.number().int().min(1).max(65_535);
const count = z.number().int().min(0);

const backendSchema = z.strictObject({
  hostId: z.string().min(1),
  address: z.string().min(1),
  port,
  weight: z.number().min(0).max(256),
  epoch: z.number().int(),
  draining: z.boolean(),
});

/** Body of `PUT /v1/fleets/:fleet`. */
export const stateSchema = z
  .strictObject({
    fleet: z.string().min(1),
    listen: z.exactOptional(z.string()),
    stateVersion: count,
    backends: z.array(backendSchema).max(limits.lbBackendsPerFleetMax),
    preferNewest: z.enum(["off", "weighted", "strict"]),
    slowStartSeconds: z.number().min(0),
    healthCheck: z.strictObject({
      path: z.string().startsWith("/"),
      intervalMs: z.number().min(10),
      unhealthyAfter: z.number().int().min(1),
      healthyAfter: z.number().int().min(1),
    }),
  })
  .refine((state) => new Set(state.backends.map(({ hostId }) => hostId)).size === state.backends.length, {
    message: "two backends have the same hostId",
    path: ["backends"],
  }) satisfies z.ZodType<LoadBalancerState>;

/** Body of `POST /v1/fleets/:fleet/drain`, and its answer. */
export const drainSchema = z.strictObject({
  hostId: z.string().min(1),
  deadlineMs: z.number().min(0).max(limits.lbDrainDeadlineMsMax),
});
export const drainedSchema = z.object({ empty: z.boolean() });

export const mirrorTargetSchema = z
  .strictObject({ hostId: z.string().min(1), address: z.string().min(1), port, share: z.number().min(0).max(1) })
  .nullable();
/** Body of `PUT /v1/fleets/:fleet/mirror`. */
export const mirrorSchema = z.strictObject({ target: mirrorTargetSchema });

export const endpointSchema = z.object({ endpoint: z.string() });
export const doneSchema = z.object({ ok: z.literal(true) });
export const capabilitiesSchema = z.object({
  selfPromotion: z.boolean(),
  mirror: z.boolean(),
  promoteWithoutCloudCall: z.boolean(),
}) satisfies z.ZodType<LoadBalancerCapabilities>;

const histogramSchema = z.array(z.object({ upperMs: z.number().nullable(), count }));

/** Answer of `GET /v1/fleets/:fleet/stats`. */
export const statsSchema = z.object({
  stateVersion: count,
  atMs: z.number(),
  startedAtMs: z.number(),
  offeredRequests: count,
  answeredRequests: count,
  failedRequests: count,
  inFlight: count,
  latencyHistogram: histogramSchema,
  backends: z.array(
    z.object({
      hostId: z.string(),
      healthy: z.boolean(),
      draining: z.boolean(),
      inFlight: count,
      requests: count,
      errors: count,
      latencyHistogram: histogramSchema,
      lastResponseAtMs: z.number().nullable(),
      activeSinceMs: z.number(),
      lastPassAtMs: z.number().nullable(),
    }),
  ),
}) satisfies z.ZodType<LoadBalancerStats>;

/** Answer of a refused call; `code` is one of the port's error codes. */
export const refusalSchema = z.object({
  error: z.object({
    code: z.enum(["STALE_STATE_VERSION", "NOT_FOUND", "INVALID_REQUEST", "PORT_IN_USE", "DISK_FULL", "INVARIANT"]),
    message: z.string(),
  }),
});
export type RefusalCode = z.infer<typeof refusalSchema>["error"]["code"];
