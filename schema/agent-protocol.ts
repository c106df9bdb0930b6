import { z } from "zod";
import { signedManifestSchema } from "./golden-manifest.ts";
import { checkSchema } from "./fleet-template.ts";

/** The newest protocol this build speaks; an agent or worker one version older or newer is understood. */
export const agentProtocolVersion = 1;

/** Where the agent lives on a host. On a local host these stand below `$FOREWARM_ROOT`. */
export const agentStateFolder = "/var/lib/forewarm";
export const agentBundlePath = `${agentStateFolder}/agent.mjs`;
export const agentSettingsPath = `${agentStateFolder}/agent.json`;
export const agentSocketPath = `${agentStateFolder}/agent.sock`;

const agentProgram = `node "$FOREWARM_ROOT${agentBundlePath}"`;
const agentStateOption = `--state "$FOREWARM_ROOT${agentStateFolder}"`;

/** Starts the daemon in its own session and returns at once; a no-op where one already runs. */
export const agentStartCommand =
  `if command -v setsid >/dev/null 2>&1; then s=setsid; else s=nohup; fi; ` +
  `$s ${agentProgram} daemon ${agentStateOption} </dev/null >/dev/null 2>&1 &`;

/** Joins standard input and output to the daemon's socket, for servers that refuse stream-local forwards. */
export const agentAttachCommand = `exec ${agentProgram} attach ${agentStateOption}`;

/** `agent.json`: what the bootstrap allows on this host; no later message can widen it. */
export const agentSettingsSchema = z.strictObject({
  fleet: z.string(),
  /** Raw 32-byte Ed25519 public keys, base64. */
  signingKeys: z.array(z.string()).min(1),
  /** Hooks a manifest may name. */
  hooks: z.array(z.enum(["reload", "restart"])),
});
export type AgentSettings = z.infer<typeof agentSettingsSchema>;

const applicationSchema = z.strictObject({
  name: z.string(),
  command: z.array(z.string()).min(1),
  /** Absolute on the host. */
  directory: z.string(),
  /** The first application answers at `$FOREWARM_PORT` instead where the provider sets it. */
  port: z.number().int().min(1).max(65_535),
  environment: z.record(z.string(), z.string()),
  reload: z.enum(["signal", "restart", "none"]),
  stopGraceMs: z.number(),
});
export type AgentApplication = z.infer<typeof applicationSchema>;

/** Requests to the agent, one JSON object per line: `{id, ...request}`. */
export const agentRequestSchema = z.discriminatedUnion("op", [
  z.strictObject({ op: z.literal("hello"), protocol: z.number().int() }),
  z.strictObject({ op: z.literal("health") }),
  /** Content of files the next manifest names and the host lacks; at most 512 KiB a chunk, base64. */
  z.strictObject({ op: z.literal("missing"), sha256: z.array(z.string()) }),
  z.strictObject({
    op: z.literal("put"),
    sha256: z.string(),
    index: z.number().int(),
    count: z.number().int(),
    content: z.string(),
  }),
  /** Checks signature, expiry and fence, lays the generation out, switches to it atomically. */
  z.strictObject({ op: z.literal("install"), fence: z.number().int(), signed: signedManifestSchema }),
  /** Starts the applications that do not run, restarts those that changed, and stops those no longer listed. */
  z.strictObject({ op: z.literal("start"), fence: z.number().int(), applications: z.array(applicationSchema) }),
  /** Tells each application of new configuration in its own way; `restart` restarts them all. */
  z.strictObject({ op: z.literal("reload"), fence: z.number().int(), hook: z.enum(["reload", "restart"]).optional() }),
  z.strictObject({ op: z.literal("stop"), fence: z.number().int() }),
  z.strictObject({ op: z.literal("verify"), checks: z.array(checkSchema) }),
  z.strictObject({ op: z.literal("digest") }),
  /** Subscribes this channel to the outbox after a number. */
  z.strictObject({ op: z.literal("subscribe"), after: z.number().int() }),
  z.strictObject({ op: z.literal("acknowledge"), through: z.number().int() }),
]);
export type AgentRequest = z.infer<typeof agentRequestSchema>;

const checkEvidenceSchema = z.object({
  check: checkSchema,
  passed: z.boolean(),
  detail: z.string(),
  durationMs: z.number(),
});
export type CheckEvidence = z.infer<typeof checkEvidenceSchema>;

/** Answers by operation. Unknown keys are dropped, so that an agent one version newer is understood. */
export const agentResponseSchemas = {
  /** `epoch` is 0 and `digest` empty while nothing is installed. */
  hello: z.object({
    protocol: z.number().int(),
    agentVersion: z.string(),
    fence: z.number().int(),
    epoch: z.number().int(),
    digest: z.string(),
  }),
  health: z.object({
    ready: z.boolean(),
    fence: z.number().int(),
    epoch: z.number().int(),
    applications: z.array(z.object({ name: z.string(), pid: z.number().int().nullable(), restarts: z.number().int() })),
  }),
  missing: z.object({ sha256: z.array(z.string()) }),
  put: z.object({ complete: z.boolean() }),
  /**
   * `changed` is false when this manifest was already in force and intact. `hooks` is what the change asks for; it is
   * repeated under the fence that made the change, because its first answer may have been lost.
   */
  install: z.object({
    epoch: z.number().int(),
    digest: z.string(),
    changed: z.boolean(),
    hooks: z.array(z.enum(["reload", "restart"])),
  }),
  start: z.object({ applications: z.array(z.object({ name: z.string(), pid: z.number().int() })) }),
  reload: z.object({ reloaded: z.array(z.string()) }),
  stop: z.object({ stopped: z.array(z.string()) }),
  verify: z.object({ passed: z.boolean(), evidence: z.array(checkEvidenceSchema) }),
  /** Digest of what is on the disk now, recomputed. */
  digest: z.object({ epoch: z.number().int(), digest: z.string() }),
  subscribe: z.object({ last: z.number().int() }),
  acknowledge: z.object({}),
} satisfies Record<AgentRequest["op"], z.ZodType>;

type AgentResponses = { [Op in AgentRequest["op"]]: z.infer<(typeof agentResponseSchemas)[Op]> };
export type AgentResponseOf<Request extends AgentRequest> = AgentResponses[Request["op"]];

/** Pushed by the agent; kept on its disk until acknowledged. */
export const agentNoticeSchema = z.object({
  number: z.number().int(),
  atMs: z.number(),
  kind: z.enum(["application-exited", "application-restarted", "generation-switched", "agent-started"]),
  detail: z.record(z.string(), z.unknown()),
});
export type AgentNotice = z.infer<typeof agentNoticeSchema>;

/** A reply line: the request's id with a result, or with an error code of the catalogue. */
export const agentReplySchema = z.discriminatedUnion("ok", [
  z.object({ id: z.number().int(), ok: z.literal(true), result: z.unknown() }),
  z.object({ id: z.number().int(), ok: z.literal(false), code: z.string(), message: z.string() }),
]);
export type AgentReply = z.infer<typeof agentReplySchema>;

/** A line that answers no request: a notice of the outbox. */
export const agentPushSchema = z.object({ notice: agentNoticeSchema });
