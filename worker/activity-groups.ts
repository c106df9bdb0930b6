import { createBootstrapActivities } from "../activities/bootstrap.ts";
import { createCapacityActivities } from "../activities/capacity.ts";
import { createHostChangeActivities } from "../activities/host-changes.ts";
import { createLaunchActivities } from "../activities/launch.ts";
import type { SagaDependencies } from "../activities/sagas.ts";
import { createSagaActivities } from "../activities/sagas.ts";
import { createStoreActivities } from "../activities/store.ts";
import { createTrafficActivities } from "../activities/traffic.ts";
import type { ComputeProvider } from "../providers/compute/compute-provider.ts";
import type { LoadBalancer } from "../providers/load-balancer/load-balancer.ts";
import type { NodeChannel } from "../providers/node/node-channel.ts";
import type { Store } from "../providers/store/store.ts";

export interface Ports {
  provider: ComputeProvider;
  channel: NodeChannel;
  loadBalancer: LoadBalancer;
  store: Store;
}

export interface ActivitySettings {
  agentBundle: Buffer;
  authorizedKey: string;
  sagas: SagaDependencies;
}

/** Which activities are served on which task queue. */
export function activitiesByQueue(ports: Ports, { agentBundle, authorizedKey, sagas }: ActivitySettings) {
  const hosts = { ...createBootstrapActivities({ ...ports, agentBundle }), ...createHostChangeActivities(ports) };
  const traffic = createTrafficActivities(ports);
  const launch = createLaunchActivities({ ...ports, authorizedKey, startWorkflow: sagas.startWorkflow });
  return {
    workflows: { ...traffic, ...createSagaActivities(sagas) },
    cloud: { ...hosts, ...launch },
    ssh: { ...hosts, ...traffic },
    ml: createCapacityActivities(ports),
    store: createStoreActivities(ports),
  };
}
