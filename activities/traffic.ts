import { Context } from "@temporalio/activity";
import type { HostEndpoint } from "../domain/host/host-endpoint.ts";
import type { FleetTemplate } from "../schema/fleet-template.ts";
import type { Backend, LoadBalancer } from "../providers/load-balancer/load-balancer.ts";
import type { ClaimRow, Store } from "../providers/store/store.ts";
import { whileHeartbeating } from "./heartbeat.ts";
import { failWithoutAddress } from "./host-verification.ts";
import { translateErrors } from "./translate-errors.ts";

/** One answered claim, as it is recorded. */
export type GrantRow = Omit<ClaimRow, "fleet">;

export interface PublishRequest {
  fleet: string;
  stateVersion: number;
  backends: { hostId: string; epoch: number; draining: boolean }[];
  settings: FleetTemplate["load_balancer"];
  grants: GrantRow[];
}

export interface TrafficDependencies {
  loadBalancer: LoadBalancer;
  store: Store;
}

const fullWeight = 100;

/** Endpoints never change once recorded; those of hosts not seen before are read together. */
function createEndpointCache(store: Store) {
  const known = new Map<string, HostEndpoint>();
  const keyOf = (fleet: string, hostId: string): string => `${fleet}/${hostId}`;
  return async (fleet: string, hostIds: readonly string[]): Promise<(hostId: string) => HostEndpoint> => {
    if (hostIds.some((hostId) => !known.has(keyOf(fleet, hostId)))) {
      for (const { hostId, endpoint } of await store.hosts(fleet))
        if (endpoint !== null) known.set(keyOf(fleet, hostId), endpoint);
    }
    return (hostId) => known.get(keyOf(fleet, hostId)) ?? failWithoutAddress(hostId);
  };
}

/** What users' requests are sent to, and the record of every grant. */
export function createTrafficActivities({ loadBalancer, store }: TrafficDependencies) {
  const endpointsOf = createEndpointCache(store);

  async function backends({ fleet, backends: hosts }: PublishRequest): Promise<Backend[]> {
    const hostIds = hosts.map(({ hostId }) => hostId);
    const endpointOf = await endpointsOf(fleet, hostIds);
    return hosts.map((host) => {
      const { address, servicePort } = endpointOf(host.hostId);
      return { ...host, address, port: servicePort, weight: host.draining ? 0 : fullWeight };
    });
  }

  return translateErrors({
    /** Puts the fleet's rotation into force, then records the grants that came with it. Safe to repeat; answers where users connect. */
    async publish(request: PublishRequest): Promise<{ endpoint: string }> {
      const { fleet, stateVersion, settings } = request;
      const check = settings.health_check;
      const endpoint = await loadBalancer.sync({
        fleet,
        stateVersion,
        listen: settings.listen,
        backends: await backends(request),
        preferNewest: settings.prefer_newest,
        slowStartSeconds: settings.slow_start_seconds,
        healthCheck: {
          path: check.path,
          intervalMs: check.interval_seconds * 1000,
          unhealthyAfter: check.unhealthy_after,
          healthyAfter: check.healthy_after,
        },
      });
      await store.keepClaims(request.grants.map((grant) => ({ ...grant, fleet })));
      return { endpoint };
    },

    /** Waits until the host's last request ended or the deadline passed. The balancer going away ends nothing. */
    async drainHost({ fleet, hostId, endsAtMs }: { fleet: string; hostId: string; endsAtMs: number }): Promise<void> {
      const signal = Context.current().cancellationSignal;
      await whileHeartbeating(() => loadBalancer.drain(fleet, hostId, Math.max(0, endsAtMs - Date.now()), signal));
    },
  });
}

export type TrafficActivities = ReturnType<typeof createTrafficActivities>;
