import { ForewarmError } from "../domain/errors.ts";
import type { AgentRequest, AgentResponseOf } from "../schema/agent-protocol.ts";
import type { Applications } from "./applications.ts";
import { verifyHost } from "./checks.ts";
import type { AgentConfig } from "./config.ts";
import { findMissing, install, type InstallDeps } from "./install.ts";

/** Kept equal to the worker's `agentProtocolVersion` and to package.json by tests. */
export const protocol = 1;
export const agentVersion = "0.1.0";

export interface AgentDeps extends InstallDeps {
  config: AgentConfig;
  applications: Applications;
}

/** The operations that a channel answers by itself. */
type ChannelOp = "subscribe" | "acknowledge";
type HostRequest = Exclude<AgentRequest, { op: ChannelOp }>;
type Answers = {
  [Op in HostRequest["op"]]: (
    deps: AgentDeps,
    request: Extract<HostRequest, { op: Op }>,
  ) => Promise<AgentResponseOf<Extract<HostRequest, { op: Op }>>>;
};

const answers: Answers = {
  async hello(deps, request) {
    if (Math.abs(request.protocol - protocol) > 1) {
      throw new ForewarmError("AGENT_PROTOCOL", `this agent speaks ${protocol}, asked for ${request.protocol}`);
    }
    const held = await deps.generations.inForce();
    const place = { epoch: held?.manifest.epoch ?? 0, digest: held?.digest ?? "" };
    return { protocol, agentVersion, fence: deps.fence.highest().fence, ...place };
  },
  async health(deps) {
    const applications = deps.applications.status();
    const held = await deps.generations.inForce();
    const ready = held !== null && applications.every((one) => one.pid !== null);
    return { ready, fence: deps.fence.highest().fence, epoch: held?.manifest.epoch ?? 0, applications };
  },
  missing: async (deps, request) => ({ sha256: await findMissing(deps, request.sha256) }),
  put: async (deps, request) => ({ complete: await deps.blobs.put(request) }),
  install,
  async start(deps, request) {
    await deps.fence.admit(request.fence);
    return deps.applications.start(request.applications);
  },
  async reload(deps, request) {
    await deps.fence.admit(request.fence);
    return deps.applications.reload(request.hook ?? "reload");
  },
  async stop(deps, request) {
    await deps.fence.admit(request.fence);
    return deps.applications.stop();
  },
  verify: (deps, request) => verifyHost(deps, request.checks),
  async digest(deps) {
    const { epoch, digest } = await deps.generations.live();
    return { epoch, digest };
  },
};

const changing: ReadonlySet<string> = new Set<HostRequest["op"]>(["put", "install", "start", "reload", "stop"]);

/** Answers requests about this host; those that change it run one at a time, in the order they came. */
export function createAnswer(deps: AgentDeps): (request: HostRequest) => Promise<unknown> {
  let changes: Promise<unknown> = Promise.resolve();
  return (request) => {
    if (!changing.has(request.op)) return answer(deps, request);
    const turn = changes.then(() => answer(deps, request));
    changes = turn.catch(() => undefined);
    return turn;
  };
}

function answer<Op extends HostRequest["op"]>(
  deps: AgentDeps,
  request: Extract<HostRequest, { op: Op }>,
): Promise<unknown> {
  const find: Answers[Op] = answers[request.op];
  return find(deps, request);
}
