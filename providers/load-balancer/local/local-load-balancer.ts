import { Pool } from "undici";
import { z } from "zod";
import { ForewarmError } from "../../../domain/errors.ts";
import { limits } from "../../../domain/limits.ts";
import type { LoadBalancer, LoadBalancerState } from "../load-balancer.ts";
import * as protocol from "./admin-protocol.ts";

interface AdminRequest<Answer> {
  method: "GET" | "PUT" | "POST" | "DELETE";
  path: string;
  body?: unknown;
  answer: z.ZodType<Answer>;
  /** How long an answer may take; 0 for no bound. */
  timeoutMs: number;
  signal?: AbortSignal | undefined;
}

const callTimeoutMs = 10_000;
const connectionsMax = 64;
/** Each drain holds its connection until the host is empty, and a whole fleet may be drained at once. */
const drainsMax = limits.lbBackendsPerFleetMax;

/**
 * Speaks to the local load balancer over its admin socket. No call is repeated here; every one can be.
 * Throws LOAD_BALANCER_UNREACHABLE when nothing answers there, CANCELLED when `signal` fires.
 */
export function createLocalLoadBalancer({ socketPath }: { socketPath: string }): LoadBalancer {
  const poolOf = (connections: number): Pool =>
    new Pool("http://load-balancer", { socketPath, connections, connectTimeout: 2000 });
  const pool = poolOf(connectionsMax);
  const drains = poolOf(drainsMax);
  const call = <Answer>(request: AdminRequest<Answer>): Promise<Answer> => callAdmin(pool, socketPath, request);
  return {
    capabilities: () =>
      call({ method: "GET", path: "/v1/capabilities", answer: protocol.capabilitiesSchema, timeoutMs: callTimeoutMs }),
    async endpoint(fleet) {
      const path = fleetPath(fleet, "/endpoint");
      const answer = protocol.endpointSchema;
      return (await call({ method: "GET", path, answer, timeoutMs: callTimeoutMs })).endpoint;
    },
    async sync(state: LoadBalancerState, signal?: AbortSignal) {
      const path = fleetPath(state.fleet);
      const answer = protocol.endpointSchema;
      return (await call({ method: "PUT", path, body: state, answer, timeoutMs: callTimeoutMs, signal })).endpoint;
    },
    async drain(fleet, hostId, ...[deadlineMs, signal]) {
      const path = fleetPath(fleet, "/drain");
      const body = { hostId, deadlineMs };
      const timeoutMs = deadlineMs + callTimeoutMs;
      const request = { method: "POST", path, body, answer: protocol.drainedSchema, timeoutMs, signal } as const;
      return (await callAdmin(drains, socketPath, request)).empty;
    },
    stats: (fleet) =>
      call({ method: "GET", path: fleetPath(fleet, "/stats"), answer: protocol.statsSchema, timeoutMs: callTimeoutMs }),
    async mirror(fleet, target) {
      const path = fleetPath(fleet, "/mirror");
      await call({ method: "PUT", path, body: { target }, answer: protocol.doneSchema, timeoutMs: callTimeoutMs });
    },
    async remove(fleet) {
      await call({ method: "DELETE", path: fleetPath(fleet), answer: protocol.doneSchema, timeoutMs: callTimeoutMs });
    },
    async close() {
      await Promise.all([pool.destroy(), drains.destroy()]);
    },
  };
}

function fleetPath(fleet: string, below = ""): string {
  return `/v1/fleets/${encodeURIComponent(fleet)}${below}`;
}

async function callAdmin<Answer>(pool: Pool, socketPath: string, request: AdminRequest<Answer>): Promise<Answer> {
  const { statusCode, body } = await exchange(pool, socketPath, request);
  if (statusCode === 200) return parseAnswer(request.answer, body, request.path);
  const { error } = parseAnswer(protocol.refusalSchema, body, request.path);
  throw new ForewarmError(error.code, error.message);
}

async function exchange(
  pool: Pool,
  socketPath: string,
  { method, path, body, timeoutMs, signal }: AdminRequest<unknown>,
): Promise<{ statusCode: number; body: unknown }> {
  try {
    const response = await pool.request({
      method,
      path,
      headersTimeout: timeoutMs,
      headers: { "content-type": "application/json" },
      body: body === undefined ? null : JSON.stringify(body),
      signal: signal ?? null,
    });
    return { statusCode: response.statusCode, body: await response.body.json() };
  } catch (cause) {
    if (signal?.aborted === true) throw new ForewarmError("CANCELLED", `${method} ${path} was cancelled`, { cause });
    throw new ForewarmError("LOAD_BALANCER_UNREACHABLE", `no load balancer answers at ${socketPath}`, { cause });
  }
}

function parseAnswer<Answer>(schema: z.ZodType<Answer>, body: unknown, path: string): Answer {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const message = `unexpected answer of the load balancer to ${path}: ${z.prettifyError(parsed.error)}`;
  throw new ForewarmError("LOAD_BALANCER_UNREACHABLE", message, { cause: parsed.error });
}
