import { type ErrorCode, errorCatalogue, ForewarmError } from "../../../domain/errors.ts";
import { limits } from "../../../domain/limits.ts";
import { createLineSplitter } from "../../../domain/line-frames.ts";
import {
  type AgentNotice,
  type AgentReply,
  type AgentRequest,
  type AgentResponseOf,
  agentPushSchema,
  agentReplySchema,
  agentResponseSchemas,
} from "../../../schema/agent-protocol.ts";
import type { AgentStream } from "./agent-stream.ts";
import { asError } from "./deadline.ts";
import { createPendingRequests, type PendingRequests } from "./pending-requests.ts";

export interface AgentLink {
  /** Aborts with the reason once the stream to the agent is gone. */
  closed: AbortSignal;
  request<Request extends AgentRequest>(request: Request, signal: AbortSignal): Promise<AgentResponseOf<Request>>;
  /** Hands on every pushed notice until the returned function is called. */
  listen(onNotice: (notice: AgentNotice) => void): () => void;
  close(): void;
}

/** Multiplexes requests by id, and pushed notices, over one stream of newline-delimited JSON. */
export function createAgentLink(host: string, stream: AgentStream): AgentLink {
  const { duplex } = stream;
  const pending = createPendingRequests();
  const listeners = new Set<(notice: AgentNotice) => void>();
  const closed = new AbortController();
  let lastId = 0;

  const end = (error: Error) => {
    if (closed.signal.aborted) return;
    closed.abort(error);
    pending.rejectAll(error);
    duplex.destroy();
  };
  const receive = createReceiver(host, {
    onReply: (reply) => settle(host, pending.take(reply.id), reply),
    onNotice: (notice) => listeners.forEach((listener) => listener(notice)),
    onFault: end,
  });
  const lose = () =>
    end(new ForewarmError("CHANNEL_LOST", `${host}: the agent's stream closed. ${stream.complaint()}`));
  duplex.setEncoding("utf8");
  duplex.on("data", receive).on("error", lose).on("close", lose);

  return {
    closed: closed.signal,
    async request(request, signal) {
      closed.signal.throwIfAborted();
      signal.throwIfAborted();
      const id = (lastId += 1);
      const frame = frameOf(host, id, request);
      const answer = pending.expect(id, signal);
      duplex.write(frame);
      return readResponse(host, request, await answer);
    },
    listen(onNotice) {
      listeners.add(onNotice);
      return () => void listeners.delete(onNotice);
    },
    close: () => end(new ForewarmError("CHANNEL_LOST", `${host}: the agent's stream was closed`)),
  };
}

interface Receivers {
  onReply(reply: AgentReply): void;
  onNotice(notice: AgentNotice): void;
  onFault(error: Error): void;
}

/** Frames that are neither a reply nor a known notice come from a newer agent and are passed over. */
function createReceiver(host: string, receivers: Receivers): (text: string) => void {
  const read = createLineSplitter(limits.agentFrameBytesMax, (line) => {
    const frame: unknown = JSON.parse(line);
    const reply = agentReplySchema.safeParse(frame);
    if (reply.success) return receivers.onReply(reply.data);
    const push = agentPushSchema.safeParse(frame);
    if (push.success) receivers.onNotice(push.data.notice);
  });
  return (text) => {
    try {
      read(text);
    } catch (error) {
      receivers.onFault(protocolError(host, asError(error)));
    }
  };
}

function settle(host: string, waiting: ReturnType<PendingRequests["take"]>, reply: AgentReply): void {
  if (reply.ok) waiting?.resolve(reply.result);
  else waiting?.reject(replyError(host, reply));
}

function frameOf(host: string, id: number, request: AgentRequest): string {
  const frame = `${JSON.stringify({ id, ...request })}\n`;
  if (Buffer.byteLength(frame) <= limits.agentFrameBytesMax) return frame;
  const message = `${host}: the ${request.op} request exceeds ${limits.agentFrameBytesMax} bytes`;
  throw new ForewarmError("INVALID_REQUEST", message);
}

function readResponse<Request extends AgentRequest>(
  host: string,
  request: Request,
  result: unknown,
): AgentResponseOf<Request> {
  const parsed = agentResponseSchemas[request.op].safeParse(result);
  if (!parsed.success) throw protocolError(host, parsed.error);
  // The table is keyed by operation, which the compiler cannot follow through a type parameter.
  return parsed.data as AgentResponseOf<Request>;
}

function replyError(host: string, reply: { code: string; message: string }): ForewarmError {
  const code: ErrorCode = isErrorCode(reply.code) ? reply.code : "AGENT_PROTOCOL";
  return new ForewarmError(code, `${host}: ${reply.message}${code === reply.code ? "" : ` (${reply.code})`}`);
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorCatalogue, code);
}

function protocolError(host: string, cause: Error): ForewarmError {
  return new ForewarmError("AGENT_PROTOCOL", `${host}: the agent's answer is not understood: ${cause.message}`, {
    cause,
  });
}
