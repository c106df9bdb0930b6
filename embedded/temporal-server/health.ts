import { connect as connectHttp2, type ClientHttp2Session } from "node:http2";
import { connect as connectTcp } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

const callTimeoutMs = 1_000;
const pollMs = 50;
const grpcNotFound = "5";

/** Waits until the server says SERVING and its history service answers; ends with the signal's reason. */
export async function waitForTemporal(address: string, signal: AbortSignal): Promise<void> {
  while (!(await isServing(address))) await delay(pollMs, undefined, { signal });
}

/** True when a Temporal frontend answers there for the `default` namespace. */
export async function isServing(address: string): Promise<boolean> {
  const session = connectHttp2(`http://${address}`);
  const failed = new Promise<never>((_resolve, reject) => session.once("error", reject));
  failed.catch(() => undefined);
  try {
    return await Promise.race([answers(session), failed]);
  } catch {
    return false;
  } finally {
    session.destroy();
  }
}

/** True when something accepts TCP connections at `host:port` within `timeoutMs`. */
export async function acceptsConnections(address: string, timeoutMs: number): Promise<boolean> {
  const { hostname, port } = new URL(`tcp://${address}`);
  const socket = connectTcp({ host: hostname, port: Number(port || 7233) });
  try {
    return await new Promise<boolean>((resolve) => {
      socket.once("connect", () => resolve(true));
      socket.once("error", () => resolve(false));
      socket.setTimeout(timeoutMs, () => resolve(false));
    });
  } finally {
    socket.destroy();
  }
}

async function answers(session: ClientHttp2Session): Promise<boolean> {
  const health = await unaryCall(session, "/grpc.health.v1.Health/Check", [field(1, workflowService)]);
  // HealthCheckResponse: field 1, varint, 1 = SERVING.
  if (health.status !== "0" || health.message[0] !== 0x08 || health.message[1] !== 1) return false;
  // The frontend answers before history does; an unknown workflow is known to be unknown only by history.
  const probe = await unaryCall(session, `/${workflowService}/DescribeWorkflowExecution`, [
    field(1, "default"),
    field(2, field(1, "forewarm-readiness")),
  ]);
  return probe.status === grpcNotFound;
}

const workflowService = "temporal.api.workflowservice.v1.WorkflowService";

/** A length-delimited protobuf field shorter than 128 bytes. */
function field(number: number, value: string | Buffer): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes]);
}

interface UnaryReply {
  status: string;
  message: Buffer;
}

async function unaryCall(session: ClientHttp2Session, path: string, fields: Buffer[]): Promise<UnaryReply> {
  const body = Buffer.concat(fields);
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(body.length, 1);
  const stream = session.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
  });
  stream.setTimeout(callTimeoutMs, () => stream.destroy(new Error(`no answer within ${callTimeoutMs} ms`)));
  let status: unknown;
  stream.once("response", (headers) => (status = headers["grpc-status"]));
  stream.once("trailers", (trailers) => (status = trailers["grpc-status"]));
  stream.end(Buffer.concat([prefix, body]));
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  return { status: String(status), message: Buffer.concat(chunks).subarray(prefix.length) };
}
