import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { limits } from "../domain/limits.ts";
import type { AgentNotice } from "../schema/agent-protocol.ts";
import { readJsonIfPresent, writeDurably } from "./durable-file.ts";
import { createFields } from "./fields.ts";

const kinds = ["application-exited", "application-restarted", "generation-switched", "agent-started"] as const;

export interface Outbox {
  /** Numbers a notice, keeps it on the disk and hands it to every subscriber. */
  append(kind: AgentNotice["kind"], detail: Record<string, unknown>): Promise<void>;
  /** Sends every kept notice after a number, then each new one, until the returned function is called. */
  subscribe(after: number, send: (notice: AgentNotice) => void): () => void;
  acknowledge(through: number): Promise<void>;
  last(): number;
}

/** The durable numbered notices of this host. Beyond `limits.agentOutboxRowsMax` the oldest are dropped. */
export async function openOutbox(stateFolder: string, now: () => number): Promise<Outbox> {
  const folder = join(stateFolder, "outbox");
  await mkdir(folder, { recursive: true });
  const held = await readHeld(folder);
  const subscribers = new Set<(notice: AgentNotice) => void>();
  let last = Math.max(await readLast(folder), held.at(-1)?.number ?? 0);
  let writing = Promise.resolve();

  const drop = async (through: number) => {
    const dropped = held.filter((notice) => notice.number <= through);
    held.splice(0, dropped.length);
    for (const notice of dropped) await rm(fileOf(folder, notice.number), { force: true });
  };
  const write = async (notice: AgentNotice) => {
    await writeDurably(fileOf(folder, notice.number), JSON.stringify(notice));
    await writeDurably(join(folder, "last"), String(notice.number));
    held.push(notice);
    if (held.length > limits.agentOutboxRowsMax) await drop(notice.number - limits.agentOutboxRowsMax);
    for (const send of subscribers) send(notice);
  };
  /** One change at a time, so that notices keep their order on the disk and on the wire. */
  const inTurn = (change: () => Promise<void>): Promise<void> => {
    const turn = writing.then(change);
    writing = turn.catch(() => undefined);
    return turn;
  };
  return {
    append: (kind, detail) => inTurn(() => write({ number: (last += 1), atMs: now(), kind, detail })),
    subscribe(after, send) {
      for (const notice of held) if (notice.number > after) send(notice);
      subscribers.add(send);
      return () => void subscribers.delete(send);
    },
    acknowledge: (through) => inTurn(() => drop(through)),
    last: () => last,
  };
}

async function readHeld(folder: string): Promise<AgentNotice[]> {
  const names = (await readdir(folder)).filter((name) => /^\d+\.json$/.test(name)).sort();
  return Promise.all(names.map(async (name) => readNotice(JSON.parse(await readFile(join(folder, name), "utf8")))));
}

function readNotice(value: unknown): AgentNotice {
  const fields = createFields("notice", value);
  return {
    number: fields.integer("number"),
    atMs: fields.number("atMs"),
    kind: fields.oneOf("kind", kinds),
    detail: fields.anyRecord("detail"),
  };
}

async function readLast(folder: string): Promise<number> {
  const last = await readJsonIfPresent(join(folder, "last"));
  return typeof last === "number" ? last : 0;
}

function fileOf(folder: string, number: number): string {
  return join(folder, `${String(number).padStart(12, "0")}.json`);
}
