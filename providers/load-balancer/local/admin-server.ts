import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { z } from "zod";
import { ForewarmError, isForewarmError } from "../../../domain/errors.ts";
import { limits } from "../../../domain/limits.ts";
import { drainSchema, mirrorSchema, stateSchema, type RefusalCode } from "./admin-protocol.ts";
import type { Balancer } from "./balancer.ts";

interface AdminCall {
  balancer: Balancer;
  fleet: string;
  body: unknown;
  /** Fires when the caller hangs up. */
  signal: AbortSignal;
}

type Verb = (call: AdminCall) => Promise<unknown>;

const ok = { ok: true };

const verbs: Record<string, Verb> = {
  "GET capabilities": async () => ({ selfPromotion: false, mirror: true, promoteWithoutCloudCall: true }),
  "PUT fleet": async ({ balancer, fleet, body }) => {
    const state = stateSchema.parse(body);
    if (state.fleet !== fleet) throw new ForewarmError("INVALID_REQUEST", `state of ${state.fleet} sent to ${fleet}`);
    await balancer.sync(state);
    return { endpoint: balancer.endpoint(fleet) };
  },
  "DELETE fleet": async ({ balancer, fleet }) => {
    await balancer.remove(fleet);
    return ok;
  },
  "GET endpoint": async ({ balancer, fleet }) => ({ endpoint: balancer.endpoint(fleet) }),
  "GET stats": async ({ balancer, fleet }) => balancer.stats(fleet),
  "POST drain": async ({ balancer, fleet, body, signal }) => ({
    empty: await balancer.drain(fleet, { ...drainSchema.parse(body), signal }),
  }),
  "PUT mirror": async ({ balancer, fleet, body }) => {
    await balancer.mirror(fleet, mirrorSchema.parse(body).target);
    return ok;
  },
};

const statusCodes = {
  STALE_STATE_VERSION: 409,
  NOT_FOUND: 404,
  INVALID_REQUEST: 400,
  PORT_IN_USE: 409,
  DISK_FULL: 507,
  INVARIANT: 500,
} as const satisfies Record<RefusalCode, number>;

/** Serves the admin API: `/v1/capabilities`, `/v1/fleets/:fleet` and, below a fleet, endpoint, stats, drain, mirror. */
export function createAdminServer(balancer: Balancer): Server {
  return createServer((request, response) => {
    void answer(balancer, request, response).catch((error: unknown) => refuse(response, error));
  });
}

async function answer(balancer: Balancer, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { verb, fleet } = findVerb(request);
  const hungUp = new AbortController();
  response.on("close", () => hungUp.abort());
  const body = await readBody(request);
  send(response, 200, await verb({ balancer, fleet, body, signal: hungUp.signal }));
}

function findVerb({ method = "", url = "" }: IncomingMessage): { verb: Verb; fleet: string } {
  const [, root, group, name = "", below] = url.split("/");
  const noun = group === "fleets" ? (below ?? "fleet") : (group ?? "");
  const verb = root === "v1" ? verbs[`${method} ${noun}`] : undefined;
  if (verb === undefined) throw new ForewarmError("NOT_FOUND", `the load balancer has no call ${method} ${url}`);
  return { verb, fleet: decodeURIComponent(name) };
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    const part = Buffer.from(chunk);
    bytes += part.length;
    if (bytes > limits.lbAdminBodyBytesMax) throw new ForewarmError("INVALID_REQUEST", "the request is too large");
    chunks.push(part);
  }
  if (bytes === 0) return null;
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch (cause) {
    throw new ForewarmError("INVALID_REQUEST", "the request is not JSON", { cause });
  }
}

function refuse(response: ServerResponse, error: unknown): void {
  if (error instanceof z.ZodError) return refuseWith(response, "INVALID_REQUEST", z.prettifyError(error));
  const message = error instanceof Error ? error.message : String(error);
  refuseWith(response, isForewarmError(error) ? refusalCode(error) : "INVARIANT", message);
}

function refuseWith(response: ServerResponse, code: RefusalCode, message: string): void {
  send(response, statusCodes[code], { error: { code, message } });
}

function refusalCode({ code }: ForewarmError): RefusalCode {
  return code in statusCodes ? (code as RefusalCode) : "INVARIANT";
}

function send(response: ServerResponse, statusCode: number, body: unknown): void {
  response.writeHead(statusCode, { "content-type": "application/json" }).end(JSON.stringify(body));
}
