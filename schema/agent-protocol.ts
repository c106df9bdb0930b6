import { z } from "zod";
import { signedManifestSchema } from "./golden-manifest.ts";
import { checkSchema } from "./fleet-template.ts";

/** The newest protocol this build speaks; an agent or worker one version older is understood. */
export const agentProtocolVersion = 1;

const applicationSchema = z.strictObject({
  name: z.string(),
  command: z.array(z.string()).min(1),
  directory: z.string(),
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
  /** Starts the applications that do not run, and stops those no longer listed. */
  z.strictObject({ op: z.literal("start"), fence: z.number().int(), applications: z.array(applicationSchema) }),
  z.strictObject({ op: z.literal("reload"), fence: z.number().int() }),
  z.strictObject({ op: z.literal("stop"), fence: z.number().int() }),
  z.strictObject({ op: z.literal("verify"), checks: z.array(checkSchema) }),
  z.strictObject({ op: z.literal("digest") }),
  /** Subscribes this channel to the outbox after a number. */
  z.strictObject({ op: z.literal("subscribe"), after: z.number().int() }),
  z.strictObject({ op: z.literal("acknowledge"), through: z.number().int() }),
]);
export type AgentRequest = z.infer<typeof agentRequestSchema>;

export interface CheckEvidence {
  check: z.infer<typeof checkSchema>;
  passed: boolean;
  detail: string;
  durationMs: number;
}

interface AgentResponses {
  hello: { protocol: number; agentVersion: string; fence: number; epoch: number; digest: string };
  health: { ready: boolean; fence: number; epoch: number; applications: { name: string; pid: number | null; restarts: number }[] };
  missing: { sha256: string[] };
  put: { complete: boolean };
  /** `changed` is false when this fence and digest were already in force. */
  install: { epoch: number; digest: string; changed: boolean; hooks: ("reload" | "restart")[] };
  start: { applications: { name: string; pid: number }[] };
  reload: { reloaded: string[] };
  stop: { stopped: string[] };
  verify: { passed: boolean; evidence: CheckEvidence[] };
  /** Digest of what is on the disk now, recomputed. */
  digest: { epoch: number; digest: string };
  subscribe: { last: number };
  acknowledge: Record<string, never>;
}
export type AgentResponseOf<Request extends AgentRequest> = AgentResponses[Request["op"]];

/** Pushed by the agent; kept on its disk until acknowledged. */
export interface AgentNotice {
  number: number;
  atMs: number;
  kind: "application-exited" | "application-restarted" | "generation-switched" | "agent-started";
  detail: Record<string, unknown>;
}

/** A reply line: the request's id with a result, or with an error code of the catalogue. */
export type AgentReply =
  | { id: number; ok: true; result: unknown }
  | { id: number; ok: false; code: string; message: string };
