import { Context } from "@temporalio/activity";
import { limits } from "../domain/limits.ts";
import type { ComputeProvider } from "../providers/compute/compute-provider.ts";
import type { NodeChannel } from "../providers/node/node-channel.ts";
import type { Store } from "../providers/store/store.ts";
import type { BootstrapArguments, UpdateHostArguments } from "../workflows/messages.ts";
import { reviveAgent } from "./agent-greeting.ts";
import { createGoldenContent } from "./golden-content.ts";
import { uploadSettings } from "./host-software.ts";
import { whileHeartbeating } from "./heartbeat.ts";
import type { Verified } from "./host-verification.ts";
import { createVerification, endpointOf } from "./host-verification.ts";
import { translateErrors } from "./translate-errors.ts";

export interface HostChangeDependencies {
  provider: ComputeProvider;
  channel: NodeChannel;
  store: Store;
}

const reloadTimeoutMs = 20_000;

/** What happens to a host after its bootstrap, and how a bootstrap is undone. */
export function createHostChangeActivities({ provider, channel, store }: HostChangeDependencies) {
  const golden = createGoldenContent({ store, channel });
  const verify = createVerification({ channel, store });

  async function keepConsole(fleet: string, hostId: string): Promise<void> {
    const machineId = (await store.host(fleet, hostId))?.endpoint?.machineId;
    if (machineId === undefined) return;
    const text = await provider.console(machineId).catch((error: unknown) => `no console: ${String(error)}`);
    const detail = { console: text.slice(-limits.consoleTailCharactersMax) };
    await store.keepEvent({ fleet, hostId, kind: "retired", message: `${hostId} retired`, detail, atMs: Date.now() });
  }

  async function release(host: { fleet: string; hostId: string; requestId: string; ordinal: number }): Promise<void> {
    await channel.close(host.hostId);
    await provider.terminateRequest(host.requestId, [host.ordinal], Context.current().cancellationSignal);
    await store.removeHost(host.fleet, host.hostId);
  }

  return translateErrors({
    /** Installs another golden on a running host and tells its applications. */
    async refreshHost(args: UpdateHostArguments & { fence: number }): Promise<void> {
      const endpoint = await endpointOf(store, args.fleet, args.hostId);
      const signal = Context.current().cancellationSignal;
      await whileHeartbeating(async () => {
        await reviveAgent(channel, endpoint);
        // Another key may have signed since the host was made.
        await uploadSettings(channel, endpoint, args);
        await golden.stage(endpoint, args.golden);
        const { hooks } = await golden.install(endpoint, args);
        const hook = hooks.includes("restart") ? "restart" : "reload";
        const options = { timeoutMs: reloadTimeoutMs, signal };
        if (hooks.length > 0) await channel.call(endpoint, { op: "reload", fence: args.fence, hook }, options);
      });
    },

    async reverifyHost(args: UpdateHostArguments): Promise<Verified> {
      const endpoint = await endpointOf(store, args.fleet, args.hostId);
      return whileHeartbeating(async () => {
        await reviveAgent(channel, endpoint);
        return verify(endpoint, args);
      });
    },

    /** Undo of a bootstrap: frees the machine of (request id, ordinal), also when its launch is still under way. */
    async releaseMachine({ fleet, hostId, requestId, batchOrdinal }: BootstrapArguments): Promise<void> {
      await release({ fleet, hostId, requestId, ordinal: batchOrdinal });
    },

    /** Keeps the console's tail as an event, then destroys the machine and frees what it held. */
    async destroyHost({ fleet, hostId }: { fleet: string; hostId: string }): Promise<void> {
      const row = await store.host(fleet, hostId);
      if (row === null) return;
      await keepConsole(fleet, hostId);
      await release(row);
    },
  });
}

export type HostChangeActivities = ReturnType<typeof createHostChangeActivities>;
