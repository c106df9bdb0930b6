import { ForewarmError } from "../domain/errors.ts";
import type { AgentApplication, AgentRequest } from "../schema/agent-protocol.ts";
import type { Check } from "../schema/fleet-template.ts";
import { createFields, type Fields } from "./fields.ts";

type RequestReaders = { [Op in AgentRequest["op"]]: (fields: Fields) => Extract<AgentRequest, { op: Op }> };
type CheckReaders = { [Kind in Check["kind"]]: (fields: Fields) => Extract<Check, { kind: Kind }> };

const requestReaders: RequestReaders = {
  hello: (fields) => ({ op: "hello", protocol: fields.integer("protocol") }),
  health: () => ({ op: "health" }),
  missing: (fields) => ({ op: "missing", sha256: fields.texts("sha256").map(readDigest) }),
  put: (fields) => ({
    op: "put",
    sha256: readDigest(fields.text("sha256")),
    index: fields.integer("index"),
    count: fields.integer("count"),
    content: fields.text("content"),
  }),
  install: (fields) => ({ op: "install", fence: fields.integer("fence"), signed: readSigned(fields.record("signed")) }),
  start: (fields) => ({
    op: "start",
    fence: fields.integer("fence"),
    applications: fields.list("applications").map((entry) => readApplication(createFields("application", entry))),
  }),
  reload: readReload,
  stop: (fields) => ({ op: "stop", fence: fields.integer("fence") }),
  verify: (fields) => ({ op: "verify", checks: fields.list("checks").map(readCheck) }),
  digest: () => ({ op: "digest" }),
  subscribe: (fields) => ({ op: "subscribe", after: fields.integer("after") }),
  acknowledge: (fields) => ({ op: "acknowledge", through: fields.integer("through") }),
};

const checkReaders: CheckReaders = {
  process: (fields) => ({ kind: "process", application: fields.text("application") }),
  tcp: (fields) => ({ kind: "tcp", port: fields.integer("port") }),
  http: (fields) => ({
    kind: "http",
    port: fields.integer("port"),
    path: fields.text("path"),
    status: fields.integer("status"),
    ...(fields.has("body_match") ? { body_match: fields.text("body_match") } : {}),
  }),
  command: (fields) => ({
    kind: "command",
    command: fields.text("command"),
    timeout_seconds: fields.number("timeout_seconds"),
  }),
  digest: () => ({ kind: "digest" }),
};

/** Reads one frame. Throws INVALID_REQUEST, or AGENT_PROTOCOL for an operation this agent does not know. */
export function readRequest(frame: unknown): AgentRequest {
  const fields = createFields("request", frame);
  const op = fields.text("op");
  if (!isKeyOf(requestReaders, op)) throw new ForewarmError("AGENT_PROTOCOL", `operation ${op} is not known here`);
  return requestReaders[op](fields);
}

function readReload(fields: Fields): Extract<AgentRequest, { op: "reload" }> {
  const fence = fields.integer("fence");
  if (!fields.has("hook")) return { op: "reload", fence };
  const hook = fields.oneOf("hook", ["reload", "restart"]);
  return { op: "reload", fence, hook };
}

function readCheck(value: unknown): Check {
  const fields = createFields("check", value);
  const kind = fields.text("kind");
  if (!isKeyOf(checkReaders, kind)) throw new ForewarmError("AGENT_PROTOCOL", `check ${kind} is not known here`);
  return checkReaders[kind](fields);
}

/** Throws INVALID_REQUEST for a name that is no plain word, or an empty command. */
export function readApplication(fields: Fields): AgentApplication {
  const application = {
    name: fields.text("name"),
    command: fields.texts("command"),
    directory: fields.text("directory"),
    port: fields.integer("port"),
    environment: fields.textRecord("environment"),
    reload: fields.oneOf("reload", ["signal", "restart", "none"]),
    stopGraceMs: fields.number("stopGraceMs"),
  };
  if (application.command.length > 0 && /^[a-z][a-z0-9-]{0,30}$/.test(application.name)) return application;
  throw new ForewarmError("INVALID_REQUEST", `application ${application.name}: needs a plain name and a command`);
}

function readSigned(fields: Fields) {
  return { manifest: fields.text("manifest"), keyId: fields.text("keyId"), signature: fields.text("signature") };
}

function readDigest(text: string): string {
  if (/^[0-9a-f]{64}$/.test(text)) return text;
  throw new ForewarmError("INVALID_REQUEST", `${text.slice(0, 80)} is not a SHA-256 digest`);
}

function isKeyOf<Table extends object>(table: Table, key: string): key is Extract<keyof Table, string> {
  return Object.hasOwn(table, key);
}
