import { chmod, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { connect } from "node:net";
import type { Logger } from "pino";
import { z } from "zod";
import { ForewarmError } from "../../../domain/errors.ts";
import { limits } from "../../../domain/limits.ts";
import { faultSchema } from "./fault-knobs.ts";
import {
  afterSchema,
  filterSchema,
  launchRequestSchema,
  machineIdSchema,
  machineIdsSchema,
  nothingSchema,
  requestOrdinalsSchema,
  toFilter,
  toLaunchRequest,
} from "./rack-schema.ts";
import type { Rack } from "./rack.ts";
import { toWireError } from "./wire-errors.ts";

type Route = (rack: Rack, body: unknown) => Promise<unknown>;

/** A verb with the shape of what it takes. */
function route<Schema extends z.ZodType>(schema: Schema, run: (rack: Rack, body: z.infer<Schema>) => unknown): Route {
  return async (rack, body) => {
    const parsed = schema.safeParse(body);
    if (!parsed.success) throw new ForewarmError("INVALID_REQUEST", z.prettifyError(parsed.error));
    return (await run(rack, parsed.data)) ?? {};
  };
}

/** Every verb of the control socket; the body of a request and of an answer is one JSON value. */
const routes = new Map<string, Route>([
  ["POST /capabilities", route(nothingSchema, (rack) => rack.capabilities())],
  ["POST /limits", route(nothingSchema, (rack) => rack.limits())],
  ["POST /launch", route(launchRequestSchema, (rack, request) => rack.launch(toLaunchRequest(request)))],
  ["POST /describe", route(filterSchema, (rack, filter) => rack.describe(toFilter(filter)))],
  ["POST /terminate", route(machineIdsSchema, (rack, { machineIds }) => rack.terminate(machineIds))],
  [
    "POST /terminate-request",
    route(requestOrdinalsSchema, (rack, { requestId, ordinals }) => rack.terminateRequest(requestId, ordinals)),
  ],
  ["POST /stop", route(machineIdSchema, (rack, { machineId }) => rack.stop(machineId))],
  ["POST /start", route(machineIdSchema, (rack, { machineId }) => rack.start(machineId))],
  ["POST /console", route(machineIdSchema, async (rack, { machineId }) => ({ text: await rack.console(machineId) }))],
  ["POST /events", route(afterSchema, (rack, { after }) => rack.events(after))],
  ["PUT /faults", route(faultSchema, (rack, fault) => rack.play(fault))],
]);

async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    if (size > limits.rackRequestBytesMax) throw new ForewarmError("INVALID_REQUEST", "the request is too large");
    chunks.push(bytes);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8") || "{}");
  } catch (error) {
    throw new ForewarmError("INVALID_REQUEST", "the request is not JSON", { cause: error });
  }
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}

async function handle(rack: Rack, request: IncomingMessage): Promise<unknown> {
  const name = `${request.method} ${request.url}`;
  const found = routes.get(name);
  if (!found) throw new ForewarmError("INVALID_REQUEST", `the rack has no verb ${name}`);
  return found(rack, await readBody(request));
}

/** Whether somebody answers at a Unix socket. */
function isAnswered(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect({ path: socketPath });
    probe.once("connect", () => {
      probe.destroy();
      resolve(true);
    });
    probe.once("error", () => resolve(false));
  });
}

/** Serves the control socket, for this user alone; throws HOME_IN_USE when another rack answers there. */
export async function serveControl(rack: Rack, socketPath: string, log: Logger): Promise<() => Promise<void>> {
  const server = createServer((request, response) => {
    handle(rack, request).then(
      (body) => answer(response, 200, body),
      (error: unknown) => {
        const { status, body } = toWireError(error);
        if (status === 503) log.error({ err: error, verb: request.url }, "verb failed");
        answer(response, status, body);
      },
    );
  });
  await rm(socketPath, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(socketPath, resolve);
  });
  await chmod(socketPath, 0o600);
  return () =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeIdleConnections();
    });
}

/** Throws HOME_IN_USE when another rack serves this socket. */
export async function refuseSecondRack(socketPath: string): Promise<void> {
  if (await isAnswered(socketPath)) throw new ForewarmError("HOME_IN_USE", `another rack answers at ${socketPath}`);
}
