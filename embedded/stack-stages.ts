import { join } from "node:path";
import type { Environment } from "./config.ts";
import { commandFor } from "./entries.ts";
import type { TemporalPorts } from "./free-port.ts";
import type { HomePaths, SocketPaths } from "./home.ts";
import type { KeyPaths } from "./keys.ts";
import type { ProcessSpec } from "./launch.ts";
import { powerOffHosts } from "./rack-hosts.ts";
import type { TemporalServer } from "./temporal-server/rung.ts";
import { temporalServerSpec } from "./temporal-server/start.ts";

type EntryName = "rack" | "load-balancer" | "worker";

/** Files to run in place of our own entries. */
export type StackEntries = Partial<Record<EntryName, string | undefined>>;

/** What the specs of our own entries are made from. */
export interface EntryPlan {
  paths: HomePaths;
  sockets: SocketPaths;
  environment: Environment;
  isolation: string;
  addresses: string | undefined;
  entries: StackEntries;
}

/** All that was decided before the first process starts. */
export interface StackPlan extends EntryPlan {
  temporal: TemporalServer;
  /** Null when Temporal is not ours. */
  ports: TemporalPorts | null;
  temporalAddress: string;
  keys: KeyPaths;
}

/** The processes of the stack in the order of their start: Temporal; rack and load balancer; worker. */
export function stackStages(plan: StackPlan): ProcessSpec[][] {
  return [temporalStage(plan), [rackSpec(plan), loadBalancerSpec(plan)], [workerSpec(plan)]];
}

function temporalStage({ temporal, ports, paths, environment }: StackPlan): ProcessSpec[] {
  if (temporal.kind === "address" || ports === null) return [];
  const { home } = paths;
  return [temporalServerSpec({ home, executable: temporal.path, ports, inMemory: false, environment, ownGroup: true })];
}

/** The rack: hosts outlive it, so they are powered off before it is stopped in order. */
export function rackSpec(plan: EntryPlan): ProcessSpec {
  const { paths, sockets, isolation, addresses } = plan;
  return entrySpec(plan, "rack", {
    socket: sockets.rack,
    beforeStop: async () => powerOffHosts(paths.home, sockets.rack),
    readyDeadlineMs: 60_000,
    stopGraceMs: 20_000,
    variables: {
      FOREWARM_RACK_HOME: paths.rack,
      FOREWARM_RACK_SOCKET: sockets.rack,
      FOREWARM_RACK_ISOLATION: isolation,
      ...(addresses === undefined ? {} : { FOREWARM_RACK_ADDRESSES: addresses }),
    },
  });
}

function loadBalancerSpec(plan: StackPlan): ProcessSpec {
  const { paths, sockets } = plan;
  return entrySpec(plan, "load-balancer", {
    socket: sockets.loadBalancer,
    readyDeadlineMs: 60_000,
    stopGraceMs: 10_000,
    variables: {
      FOREWARM_LB_SOCKET: sockets.loadBalancer,
      FOREWARM_LB_STATE: paths.loadBalancerState,
    },
  });
}

function workerSpec(plan: StackPlan): ProcessSpec {
  const { paths, sockets, keys, temporal, temporalAddress } = plan;
  return entrySpec(plan, "worker", {
    readyDeadlineMs: 120_000,
    stopGraceMs: 20_000,
    variables: {
      FOREWARM_HOME: paths.home,
      TEMPORAL_ADDRESS: temporalAddress,
      FOREWARM_TEMPORAL: temporal.kind === "address" ? "own" : "embedded",
      FOREWARM_RACK_SOCKET: sockets.rack,
      FOREWARM_LB_SOCKET: sockets.loadBalancer,
      FOREWARM_FLEET_KEY: keys.fleetKey,
      FOREWARM_STORE: paths.store,
    },
  });
}

interface EntryDetails {
  socket?: string;
  beforeStop?: () => Promise<void>;
  readyDeadlineMs: number;
  stopGraceMs: number;
  variables: Environment;
}

function entrySpec(plan: EntryPlan, name: EntryName, { variables, ...rest }: EntryDetails): ProcessSpec {
  return {
    name,
    ...commandFor(name, plan.entries[name]),
    ...rest,
    environment: { ...plan.environment, ...variables },
    directory: plan.paths.home,
    logFile: join(plan.paths.logs, `${name}.log`),
    ownGroup: true,
  };
}
