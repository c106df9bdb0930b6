import { Context } from "@temporalio/activity";
import type { HostEndpoint } from "../domain/host/host-endpoint.ts";
import type { FleetTemplate } from "../schema/fleet-template.ts";
import type { Backend, LoadBalancer } from "../providers/load-balancer/load-balancer.ts";
import type { ClaimRow, Store } from "../providers/store/store.ts";
import { whileHeartbeating } from "./heartbeat.ts";
import { endpointOf } from "./host-verification.ts";
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

/** Endpoints never change once recorded, so each is read from the store once. */
function createEndpointCache(store: Store) {
  const known = new Map<string, HostEndpoint>();
  return async (fleet: string, hostId: string): Promise<HostEndpoint> => {
    const cached = known.get(`${fleet}/${hostId}`);
    if (cached !== undefined) return cached;
    const endpoint = await endpointOf(store, fleet, hostId);
    known.set(`${fleet}/${hostId}`, endpoint);
    return endpoint;
  };
}

/** What users' requests are sent to, and the record of every grant. */
export function createTrafficActivities({ loadBalancer, store }: TrafficDependencies) {
  const cachedEndpoint = createEndpointCache(store);

  async function backend(fleet: string, host: PublishRequest["backends"][number]): Promise<Backend> {
    const { address, servicePort } = await cachedEndpoint(fleet, host.hostId);
    return { ...host, address, port: servicePort, weight: host.draining ? 0 : fullWeight };
  }

  return translateErrors({
    /** Puts the fleet's rotation into force, then records the grants that came with it. Safe to repeat; answers where users connect. */
    async publish(request: PublishRequest): Promise<{ endpoint: string }> {
      const { fleet, stateVersion, settings } = request;
      const check = settings.health_check;
      await loadBalancer.sync({
        fleet,
        stateVersion,
        listen: settings.listen,
        backends: await Promise.all(request.backends.map((host) => backend(fleet, host))),
        preferNewest: settings.prefer_newest,
        slowStartSeconds: settings.slow_start_seconds,
        healthCheck: {
          path: check.path,
          intervalMs: check.interval_seconds * 1000,
          unhealthyAfter: check.unhealthy_after,
          healthyAfter: check.healthy_after,
        },
      });
      for (const grant of request.grants) await store.keepClaim({ ...grant, fleet });
      return { endpoint: await loadBalancer.endpoint(fleet) };
    },

    /** Waits until the host's last request ended or the deadline passed. The balancer going away ends nothing. */
    async drainHost(request: { fleet: string; hostId: string; deadlineMs: number }): Promise<void> {
      const signal = Context.current().cancellationSignal;
      await whileHeartbeating(() => loadBalancer.drain(request.fleet, request.hostId, request.deadlineMs, signal));
    },
  });
}

export type TrafficActivities = ReturnType<typeof createTrafficActivities>;
