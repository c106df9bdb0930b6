import { chmodSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { isForewarmError } from "../domain/errors.ts";
import { limits } from "../domain/limits.ts";
import { createLineSplitter } from "../domain/line-frames.ts";
import type { AgentReply, AgentRequest } from "../schema/agent-protocol.ts";
import type { AgentLog } from "./agent-log.ts";
import type { createAnswer } from "./answer.ts";
import { createFields } from "./fields.ts";
import type { Outbox } from "./outbox.ts";
import { readRequest } from "./read-request.ts";

export interface ServerDeps {
  outbox: Outbox;
  answer: ReturnType<typeof createAnswer>;
  log: AgentLog;
}

/** Name of the socket in the state folder; relative, because a socket's path may have 107 bytes only. */
export const socketName = "agent.sock";

/** Listens in the current folder. The caller holds the state lock, so a socket that is there is stale. */
export function listen(deps: ServerDeps): Promise<Server> {
  rmSync(socketName, { force: true });
  const server = createServer((socket) => serve(deps, socket));
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(socketName, () => {
      chmodSync(socketName, 0o600);
      resolve(server);
    });
  });
}

function serve(deps: ServerDeps, socket: Socket): void {
  let unsubscribe = () => {};
  const send = (frame: unknown) => void (socket.writable && socket.write(`${JSON.stringify(frame)}\n`));
  const handle = async (request: AgentRequest): Promise<unknown> => {
    if (request.op === "subscribe") {
      unsubscribe();
      unsubscribe = deps.outbox.subscribe(request.after, (notice) => send({ notice }));
      return { last: deps.outbox.last() };
    }
    if (request.op !== "acknowledge") return deps.answer(request);
    await deps.outbox.acknowledge(request.through);
    return {};
  };
  const split = createLineSplitter(limits.agentFrameBytesMax, (line) => {
    const frame: unknown = JSON.parse(line);
    const id = createFields("request", frame).integer("id");
    void reply(id, async () => handle(readRequest(frame))).then(send);
  });
  socket.setEncoding("utf8");
  socket.on("data", (text: string) => {
    try {
      split(text);
    } catch (error) {
      deps.log("a channel sent no frame and is closed", { error: String(error) });
      socket.destroy();
    }
  });
  socket.on("error", () => socket.destroy());
  socket.on("close", () => unsubscribe());
}

async function reply(id: number, work: () => Promise<unknown>): Promise<AgentReply> {
  try {
    return { id, ok: true, result: await work() };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { id, ok: false, code: isForewarmError(error) ? error.code : codeOf(error), message };
  }
}

function codeOf(error: unknown): string {
  const full = error instanceof Error && "code" in error && error.code === "ENOSPC";
  return full ? "DISK_FULL" : "INVARIANT";
}
