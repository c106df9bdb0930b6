import type { LostHost } from "../../activities/fleet-observation.ts";
import { createLaunchActivities } from "../../activities/launch.ts";
import type { SagaDependencies } from "../../activities/sagas.ts";
import { createSagaActivities } from "../../activities/sagas.ts";
import type { PublishRequest } from "../../activities/traffic.ts";
import { translateErrors } from "../../activities/translate-errors.ts";
import { ForewarmError } from "../../domain/errors.ts";
import type { GoldenReference } from "../../domain/host/fleet-state.ts";
import type { BootstrapPhase } from "../../domain/host/host-state.ts";
import type { ComputeProvider, LaunchRequest, Machine } from "../../providers/compute/compute-provider.ts";
import type { ClaimRow, EventRow, HostRow, Store } from "../../providers/store/store.ts";
import type { activitiesByQueue } from "../../worker/activity-groups.ts";
import type { BootstrapArguments, UpdateHostArguments } from "../../workflows/messages.ts";

export type Activities = ReturnType<typeof activitiesByQueue>;

/** A step that an activity takes, by its name, on a host; fleet-wide steps have no host. */
export interface Step {
  name: string;
  hostId: string;
}

interface RehearsedMachine extends Machine {
  digest: string;
  fence: number;
}

/**
 * Every activity played in memory: machines, a load balancer and a store that keep to the rules of the real ones and
 * note what was asked of them. `before` runs ahead of each step, and may wait or throw.
 */
export interface Rehearsal {
  activities: (sagas: SagaDependencies) => Activities;
  before: (step: Step) => Promise<void> | void;
  targets: { serving: number; standby: number };
  /** Hosts that the next decision reports as gone. */
  lost: LostHost[];
  machines: Map<string, RehearsedMachine>;
  backends: PublishRequest["backends"];
  /** Request id and ordinal of every machine that was asked to be freed. */
  freed: { requestId: string; ordinal: number }[];
  grants: ClaimRow[];
  events: EventRow[];
  launches: LaunchRequest[];
}

function machineOf(request: LaunchRequest, host: LaunchRequest["hosts"][number]): RehearsedMachine {
  return {
    machineId: `machine-${host.hostId}`,
    hostId: host.hostId,
    fleet: request.fleet,
    requestId: request.requestId,
    ordinal: host.ordinal,
    zone: host.zone,
    state: "running",
    endpoint: null,
    launchedAtMs: Date.now(),
    digest: "",
    fence: 0,
  };
}

export function createRehearsal(): Rehearsal {
  const rows = new Map<string, HostRow>();
  const world: Rehearsal = {
    activities: (sagas) => activitiesOf(sagas),
    before: () => undefined,
    targets: { serving: 0, standby: 0 },
    lost: [],
    machines: new Map(),
    backends: [],
    freed: [],
    grants: [],
    events: [],
    launches: [],
  };
  let stateVersion = 0;

  function machine(hostId: string): RehearsedMachine {
    const found = world.machines.get(hostId);
    if (found === undefined) throw new ForewarmError("NOT_FOUND", `there is no machine of ${hostId}`);
    return found;
  }

  function free(requestId: string, ordinal: number): void {
    world.freed.push({ requestId, ordinal });
    for (const [hostId, each] of world.machines)
      if (each.requestId === requestId && each.ordinal === ordinal) world.machines.delete(hostId);
  }

  /** An install under a fence that is not newer is refused, unless it asks for what is in force. */
  function install(hostId: string, { golden, fence }: { golden: GoldenReference; fence: number }): void {
    const host = machine(hostId);
    if (fence < host.fence) throw new ForewarmError("FENCE_REFUSED", `${hostId} has seen fence ${host.fence}`);
    host.fence = fence;
    host.digest = golden.digest;
  }

  function verify(args: { hostId: string; golden: GoldenReference }) {
    const { digest } = machine(args.hostId);
    if (digest !== args.golden.digest) throw new ForewarmError("VERIFY_FAILED", `${args.hostId} holds ${digest}`);
    return { epoch: args.golden.epoch, digest, verifiedAtMs: Date.now() };
  }

  async function phase(name: BootstrapPhase, args: BootstrapArguments): Promise<void> {
    await world.before({ name, hostId: args.hostId });
    machine(args.hostId);
  }

  const provider: Pick<ComputeProvider, "launch"> = {
    async launch(request) {
      world.launches.push(request);
      await world.before({ name: "launch", hostId: "" });
      for (const host of request.hosts) {
        if (!world.machines.has(host.hostId)) world.machines.set(host.hostId, machineOf(request, host));
      }
      return [...world.machines.values()].filter((each) => each.requestId === request.requestId);
    },
  };
  const store: Pick<Store, "keepHost"> = { keepHost: async (row) => void rows.set(row.hostId, row) };

  const hosts = translateErrors({
    allocateHost: (args: BootstrapArguments) => phase("allocate", args),
    bootHost: (args: BootstrapArguments) => phase("boot", args),
    connectHost: (args: BootstrapArguments) => phase("connect", args),
    stageHost: (args: BootstrapArguments) => phase("stage", args),
    async configureHost(args: BootstrapArguments) {
      await phase("configure", args);
      install(args.hostId, args);
    },
    startHost: (args: BootstrapArguments) => phase("start", args),
    async verifyHost(args: BootstrapArguments) {
      await phase("verify", args);
      return {
        hostId: args.hostId,
        outcome: "standby" as const,
        phase: "verify" as const,
        reason: "",
        ...verify(args),
      };
    },
    async refreshHost(args: UpdateHostArguments & { fence: number }) {
      await world.before({ name: "refresh", hostId: args.hostId });
      install(args.hostId, args);
    },
    async reverifyHost(args: UpdateHostArguments) {
      await world.before({ name: "reverify", hostId: args.hostId });
      return verify(args);
    },
    async releaseMachine(args: BootstrapArguments) {
      await world.before({ name: "release", hostId: args.hostId });
      free(args.requestId, args.batchOrdinal);
    },
    async destroyHost({ hostId }: { fleet: string; hostId: string }) {
      await world.before({ name: "destroy", hostId });
      const row = rows.get(hostId);
      if (row !== undefined) free(row.requestId, row.ordinal);
    },
  });

  const traffic: Pick<Activities["workflows"], "publish" | "drainHost"> = translateErrors({
    async publish(request: PublishRequest) {
      await world.before({ name: "publish", hostId: "" });
      if (request.stateVersion >= stateVersion) {
        stateVersion = request.stateVersion;
        world.backends = request.backends;
      }
      for (const grant of request.grants) world.grants.push({ ...grant, fleet: request.fleet });
      return { endpoint: "http://127.0.0.1:8080" };
    },
    async drainHost({ hostId }: { fleet: string; hostId: string; endsAtMs: number }) {
      await world.before({ name: "drain", hostId });
      const backend = world.backends.find((each) => each.hostId === hostId);
      if (backend?.draining === false) throw new ForewarmError("INVALID_REQUEST", `${hostId} still takes requests`);
    },
  });

  const ml: Activities["ml"] = translateErrors({
    async decideCapacity({ counters }) {
      await world.before({ name: "decide", hostId: "" });
      const nowMs = Date.now();
      const targets = {
        ...world.targets,
        explanation: "the test says so",
        basis: "rehearsal",
        decidedAtMs: nowMs,
        // Workflows may run on a clock that is hours ahead of this one.
        validUntilMs: nowMs + 86_400_000,
        leadTimeSecondsP50: 3,
        demand: null,
        band: [],
      };
      return { targets, counters, demand: null, lost: world.lost.splice(0), balancerVersion: stateVersion };
    },
  });

  const storing: Activities["store"] = translateErrors({
    lookUpRows: async () => ({ rows: [], next: null }),
    keepBlobChunks: async () => ({ missing: [] }),
    keepDemandSamples: async () => undefined,
    async recordEvent(event: EventRow) {
      await world.before({ name: "record", hostId: event.hostId ?? "" });
      world.events.push(event);
    },
  });

  function activitiesOf(sagas: SagaDependencies): Activities {
    const launch = createLaunchActivities({
      provider: provider as ComputeProvider,
      store: store as Store,
      authorizedKey: "",
      startWorkflow: sagas.startWorkflow,
    });
    return {
      workflows: { ...traffic, ...createSagaActivities(sagas) },
      cloud: { ...hosts, ...launch },
      ssh: { ...hosts, ...traffic },
      ml,
      store: storing,
    };
  }
  return world;
}
