import { activityInfo, Context } from "@temporalio/activity";
import { ForewarmError } from "../domain/errors.ts";
import type { BootstrapOutcome } from "../domain/host/fleet-state.ts";
import type { HostEndpoint } from "../domain/host/host-endpoint.ts";
import type { BootstrapPhase } from "../domain/host/host-state.ts";
import { limits } from "../domain/limits.ts";
import type { ComputeProvider, Machine } from "../providers/compute/compute-provider.ts";
import type { NodeChannel } from "../providers/node/node-channel.ts";
import type { Store } from "../providers/store/store.ts";
import type { BootstrapArguments, UpdateHostArguments } from "../workflows/messages.ts";
import type { GoldenContent } from "./golden-content.ts";
import { createGoldenContent } from "./golden-content.ts";
import { whileHeartbeating } from "./heartbeat.ts";
import { createHostSoftware } from "./host-software.ts";
import { translateErrors } from "./translate-errors.ts";

export interface BootstrapDependencies {
  provider: ComputeProvider;
  channel: NodeChannel;
  store: Store;
  /** The one-file agent that is put on hosts. */
  agentBundle: Buffer;
}

export interface Verified {
  epoch: number;
  digest: string;
  verifiedAtMs: number;
}

const pollMs = 50;

function callOptions(timeoutMs: number): { timeoutMs: number; signal: AbortSignal } {
  return { timeoutMs, signal: Context.current().cancellationSignal };
}

async function endpointOf(store: Store, fleet: string, hostId: string): Promise<HostEndpoint> {
  const endpoint = (await store.host(fleet, hostId))?.endpoint;
  if (endpoint === null || endpoint === undefined) {
    throw new ForewarmError("NOT_FOUND", `the store has no address of host ${hostId}`);
  }
  return endpoint;
}

async function machineOf(provider: ComputeProvider, args: BootstrapArguments): Promise<Machine> {
  const machines = await provider.describe({ requestId: args.requestId }, Context.current().cancellationSignal);
  const machine = machines.find((candidate) => candidate.ordinal === args.batchOrdinal);
  if (machine === undefined || machine.state === "terminated") {
    throw new ForewarmError("NOT_FOUND", `the machine of ${args.hostId} no longer exists at the provider`);
  }
  return machine;
}

/** Polls until `read` gives a value; the activity's own deadline ends it. */
async function waitFor<Value>(read: () => Promise<Value | null>): Promise<Value> {
  for (;;) {
    const value = await read();
    if (value !== null) return value;
    await Context.current().sleep(pollMs);
  }
}

/** One activity per bootstrap phase, their undo, and the same steps for hosts that are changed later. */
export function createBootstrapActivities(dependencies: BootstrapDependencies) {
  const { provider, channel, store } = dependencies;
  const software = createHostSoftware(dependencies);
  const golden: GoldenContent = createGoldenContent({ store, channel });

  /** Times a phase from the moment it was scheduled, retries and queueing included. */
  async function timed<Answer>(
    args: BootstrapArguments,
    phase: BootstrapPhase,
    work: () => Promise<Answer>,
  ): Promise<Answer> {
    const startedMs = phase === "allocate" ? args.decidedAtMs : activityInfo().scheduledTimestampMs;
    const answer = await whileHeartbeating(work);
    const nowMs = Date.now();
    const { fleet, hostId } = args;
    const row = {
      fleet,
      hostId,
      phase: phase as string,
      seconds: (nowMs - startedMs) / 1000,
      outcome: "ok" as const,
      atMs: nowMs,
    };
    const total = { ...row, phase: "total", seconds: (nowMs - args.decidedAtMs) / 1000 };
    await store.keepLeadTimes(phase === "verify" ? [row, total] : [row]);
    return answer;
  }

  async function keepHost(
    args: BootstrapArguments,
    change: { endpoint: HostEndpoint; state: string; epoch: number; digest: string },
  ): Promise<void> {
    const { fleet, hostId, requestId, batchOrdinal } = args;
    const atMs = Date.now();
    await store.keepHost({ fleet, hostId, requestId, ordinal: batchOrdinal, atMs, version: atMs, ...change });
  }

  async function verify(endpoint: HostEndpoint, args: UpdateHostArguments | BootstrapArguments): Promise<Verified> {
    const checks = args.template.bootstrap.verify;
    const suite = await channel.call(endpoint, { op: "verify", checks }, callOptions(30_000));
    const live = await channel.call(endpoint, { op: "digest" }, callOptions(10_000));
    const verifiedAtMs = Date.now();
    const passed = suite.passed && live.digest === args.golden.digest;
    const failed = suite.evidence
      .filter((evidence) => !evidence.passed)
      .map((evidence) => `${evidence.check.kind}: ${evidence.detail}`);
    await store.keepEvent({
      fleet: args.fleet,
      hostId: args.hostId,
      kind: passed ? "verified" : "verification-failed",
      message: passed
        ? `${suite.evidence.length} checks passed`
        : [...failed, `live digest ${live.digest.slice(0, 12)}`].join("; "),
      detail: { evidence: suite.evidence, digest: live.digest, epoch: live.epoch },
      atMs: verifiedAtMs,
    });
    if (!passed)
      throw new ForewarmError(
        "VERIFY_FAILED",
        `${args.hostId}: ${failed.join("; ") || "the live digest is not the golden digest"}`,
      );
    return { epoch: args.golden.epoch, digest: live.digest, verifiedAtMs };
  }

  async function release(fleet: string, hostId: string): Promise<void> {
    const row = await store.host(fleet, hostId);
    await channel.close(hostId);
    if (row !== null)
      await provider.terminateRequest(row.requestId, [row.ordinal], Context.current().cancellationSignal);
    await store.removeHost(fleet, hostId);
  }

  const phases = {
    /** Reads back the machine of the launch batch and records its address and host key before anything touches it. */
    async allocateHost(args: BootstrapArguments): Promise<void> {
      await timed(args, "allocate", async () => {
        const endpoint = await waitFor(async () => (await machineOf(provider, args)).endpoint);
        await keepHost(args, { endpoint, state: "allocating", epoch: 0, digest: "" });
      });
    },

    async bootHost(args: BootstrapArguments): Promise<void> {
      await timed(args, "boot", () =>
        waitFor(async () => ((await machineOf(provider, args)).state === "running" ? true : null)),
      );
    },

    async connectHost(args: BootstrapArguments): Promise<void> {
      const endpoint = await endpointOf(store, args.fleet, args.hostId);
      await timed(args, "connect", () => channel.connect(endpoint, callOptions(10_000)));
    },

    /** Puts the agent and the golden content on the host; nothing is in force yet. */
    async stageHost(args: BootstrapArguments): Promise<void> {
      const endpoint = await endpointOf(store, args.fleet, args.hostId);
      await timed(args, "stage", async () => {
        await software.stageAgent(endpoint, args);
        await golden.stage(endpoint, args.golden);
      });
    },

    async configureHost(args: BootstrapArguments): Promise<void> {
      const endpoint = await endpointOf(store, args.fleet, args.hostId);
      await timed(args, "configure", () => golden.install(endpoint, args));
    },

    async startHost(args: BootstrapArguments): Promise<void> {
      const endpoint = await endpointOf(store, args.fleet, args.hostId);
      await timed(args, "start", () => software.startApplications(endpoint, args));
    },

    async verifyHost(args: BootstrapArguments): Promise<BootstrapOutcome> {
      const endpoint = await endpointOf(store, args.fleet, args.hostId);
      const verified = await timed(args, "verify", () => verify(endpoint, args));
      await keepHost(args, { endpoint, state: "standby", epoch: verified.epoch, digest: verified.digest });
      return { hostId: args.hostId, outcome: "standby", phase: "verify", reason: "", ...verified };
    },
  };

  const changes = {
    /** Installs another golden on a running host and tells its applications. */
    async refreshHost(args: UpdateHostArguments & { fence: number }): Promise<void> {
      const endpoint = await endpointOf(store, args.fleet, args.hostId);
      await whileHeartbeating(async () => {
        await golden.stage(endpoint, args.golden);
        const { hooks } = await golden.install(endpoint, args);
        const hook = hooks.includes("restart") ? "restart" : "reload";
        if (hooks.length > 0)
          await channel.call(endpoint, { op: "reload", fence: args.fence, hook }, callOptions(20_000));
      });
    },

    async reverifyHost(args: UpdateHostArguments): Promise<Verified> {
      const endpoint = await endpointOf(store, args.fleet, args.hostId);
      return whileHeartbeating(() => verify(endpoint, args));
    },

    /** Undo of a bootstrap: frees the machine of (request id, ordinal), also when its launch is still under way. */
    async releaseMachine(args: BootstrapArguments): Promise<void> {
      await channel.close(args.hostId);
      await provider.terminateRequest(args.requestId, [args.batchOrdinal], Context.current().cancellationSignal);
      await store.removeHost(args.fleet, args.hostId);
    },

    /** Keeps the console's tail as an event, then destroys the machine and frees what it held. */
    async destroyHost(args: { fleet: string; hostId: string }): Promise<void> {
      const machineId = (await store.host(args.fleet, args.hostId))?.endpoint?.machineId;
      if (machineId !== undefined) {
        const console = await provider.console(machineId).catch((error: unknown) => `no console: ${String(error)}`);
        const detail = { console: console.slice(-limits.consoleTailCharactersMax) };
        await store.keepEvent({
          ...args,
          kind: "retired",
          message: `${args.hostId} retired`,
          detail,
          atMs: Date.now(),
        });
      }
      await release(args.fleet, args.hostId);
    },
  };
  return translateErrors({ ...phases, ...changes });
}

export type BootstrapActivities = ReturnType<typeof createBootstrapActivities>;
