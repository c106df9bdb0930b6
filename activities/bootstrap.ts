import { Context } from "@temporalio/activity";
import { ForewarmError } from "../domain/errors.ts";
import type { BootstrapOutcome } from "../domain/host/fleet-state.ts";
import type { HostEndpoint } from "../domain/host/host-endpoint.ts";
import type { ComputeProvider, Machine } from "../providers/compute/compute-provider.ts";
import type { NodeChannel } from "../providers/node/node-channel.ts";
import type { Store } from "../providers/store/store.ts";
import type { BootstrapArguments } from "../workflows/messages.ts";
import { createGoldenContent } from "./golden-content.ts";
import { createHostSoftware } from "./host-software.ts";
import { createVerification, endpointOf } from "./host-verification.ts";
import { createPhaseTiming } from "./phase-timing.ts";
import { translateErrors } from "./translate-errors.ts";

export interface BootstrapDependencies {
  provider: ComputeProvider;
  channel: NodeChannel;
  store: Store;
  /** The one-file agent that is put on hosts. */
  agentBundle: Buffer;
}

interface HostChange {
  endpoint: HostEndpoint;
  state: string;
  epoch: number;
  digest: string;
}

const pollMs = 50;
const connectTimeoutMs = 10_000;

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

async function keepHost(store: Store, args: BootstrapArguments, change: HostChange): Promise<void> {
  const { fleet, hostId, requestId, batchOrdinal } = args;
  const atMs = Date.now();
  await store.keepHost({ fleet, hostId, requestId, ordinal: batchOrdinal, atMs, version: atMs, ...change });
}

/** One activity per bootstrap phase. */
export function createBootstrapActivities({ provider, channel, store, agentBundle }: BootstrapDependencies) {
  const software = createHostSoftware({ channel, agentBundle });
  const golden = createGoldenContent({ store, channel });
  const verify = createVerification({ channel, store });
  const timed = createPhaseTiming(store);
  const endpoint = (args: BootstrapArguments): Promise<HostEndpoint> => endpointOf(store, args.fleet, args.hostId);

  return translateErrors({
    /** Reads back the machine of the launch batch and records its address and host key before anything touches it. */
    async allocateHost(args: BootstrapArguments): Promise<void> {
      await timed(args, "allocate", async () => {
        const found = await waitFor(async () => (await machineOf(provider, args)).endpoint);
        await keepHost(store, args, { endpoint: found, state: "allocating", epoch: 0, digest: "" });
      });
    },

    async bootHost(args: BootstrapArguments): Promise<void> {
      await timed(args, "boot", () =>
        waitFor(async () => ((await machineOf(provider, args)).state === "running" ? true : null)),
      );
    },

    async connectHost(args: BootstrapArguments): Promise<void> {
      const target = await endpoint(args);
      const signal = Context.current().cancellationSignal;
      await timed(args, "connect", () => channel.connect(target, { timeoutMs: connectTimeoutMs, signal }));
    },

    /** Puts the agent and the golden content on the host; nothing is in force yet. */
    async stageHost(args: BootstrapArguments): Promise<void> {
      const target = await endpoint(args);
      await timed(args, "stage", async () => {
        await software.stageAgent(target, args);
        await golden.stage(target, args.golden);
      });
    },

    async configureHost(args: BootstrapArguments): Promise<void> {
      const target = await endpoint(args);
      await timed(args, "configure", () => golden.install(target, args));
    },

    async startHost(args: BootstrapArguments): Promise<void> {
      const target = await endpoint(args);
      await timed(args, "start", () => software.startApplications(target, args));
    },

    async verifyHost(args: BootstrapArguments): Promise<BootstrapOutcome> {
      const target = await endpoint(args);
      const verified = await timed(args, "verify", () => verify(target, args));
      await keepHost(store, args, {
        endpoint: target,
        state: "standby",
        epoch: verified.epoch,
        digest: verified.digest,
      });
      return { hostId: args.hostId, outcome: "standby", phase: "verify", reason: "", ...verified };
    },
  });
}

export type BootstrapActivities = ReturnType<typeof createBootstrapActivities>;
