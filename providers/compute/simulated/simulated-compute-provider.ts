import { ForewarmError } from "../../../domain/errors.ts";
import type { ComputeCapabilities, ComputeProvider, LaunchRequest, Machine } from "../compute-provider.ts";
import { admitHosts, bury, emptyLaunchMemory, launchFingerprint, rememberedMachines } from "../launch-memory.ts";
import type { LaunchMemory } from "../launch-memory.ts";
import { matchesFilter } from "../machine-filter.ts";
import { SimulatedMachines } from "./simulated-machines.ts";
import type { SimulatedComputeOptions } from "./simulated-machines.ts";

/** Faults that a simulation plays on its machines. */
export interface SimulatedFaults {
  crash(machineId: string): void;
  /** The zone's machines stop, and it takes no new ones until it is back. */
  loseZone(zone: string): void;
  returnZone(zone: string): void;
  noticeReclaim(machineId: string): void;
}

export type SimulatedComputeProvider = ComputeProvider & { faults: SimulatedFaults };

function launch(memory: LaunchMemory, machines: SimulatedMachines, request: LaunchRequest): Machine[] {
  const known = rememberedMachines(memory, request);
  const create = () =>
    admitHosts(memory, request, (zone) => machines.roomOf(zone)).map((host) => machines.create(request, host));
  const machineIds = known ?? create();
  memory.launches.set(request.requestId, { fingerprint: launchFingerprint(request), machineIds });
  return machineIds.map((machineId) => machines.see(machineId));
}

function simulatedFaults(machines: SimulatedMachines): SimulatedFaults {
  return {
    crash: (machineId) => machines.lose(machineId, "crashed", "simulated crash"),
    loseZone: (zone) => {
      machines.lostZones.add(zone);
      const hit = machines.list().filter((machine) => machine.zone === zone);
      for (const { machineId } of hit) machines.lose(machineId, "zone-lost", `zone ${zone} is lost`);
    },
    returnZone: (zone) => {
      machines.lostZones.delete(zone);
    },
    noticeReclaim: (machineId) => {
      machines.emit(machines.see(machineId).machineId, "reclaim-notice", "simulated reclaim notice");
    },
  };
}

function start(machines: SimulatedMachines, { machineId, state, zone }: Machine): void {
  if (state !== "stopped") return;
  if (machines.lostZones.has(zone)) throw new ForewarmError("INSUFFICIENT_CAPACITY", `zone ${zone} is lost`);
  machines.boot(machineId);
}

function simulatedCapabilities(canStop: boolean): ComputeCapabilities {
  const missing = { hibernate: false, console: false, network: false, volumes: false, snapshots: false };
  return { stop: canStop, events: true, ...missing, isolation: "simulated" };
}

/** Machines that exist in virtual time alone: no process, no socket. Nothing answers at their endpoints. */
export function createSimulatedComputeProvider(options: SimulatedComputeOptions): SimulatedComputeProvider {
  const { canStop = true } = options;
  const memory = emptyLaunchMemory();
  const machines = new SimulatedMachines(options);
  const powered = (machineId: string): Machine => {
    if (!canStop) throw new ForewarmError("INVALID_REQUEST", "this provider cannot stop and start machines");
    const machine = machines.see(machineId);
    if (machine.state !== "terminated") return machine;
    throw new ForewarmError("INVALID_REQUEST", `machine ${machineId} is terminated`);
  };
  return {
    capabilities: async () => simulatedCapabilities(canStop),
    limits: async () => machines.zoneLimits(),
    launch: async (request) => launch(memory, machines, request),
    describe: async (filter) => machines.list().filter((machine) => matchesFilter(machine, filter)),
    terminate: async (machineIds) => machines.terminate(machineIds),
    terminateRequest: async (requestId, ordinals) => {
      bury(memory, requestId, ordinals);
      const ofRequest = machines.list().filter((machine) => machine.requestId === requestId);
      const hit = ofRequest.filter((machine) => ordinals.includes(machine.ordinal));
      machines.terminate(hit.map((machine) => machine.machineId));
    },
    stop: async (machineId) => machines.setState(powered(machineId).machineId, "stopped"),
    start: async (machineId) => start(machines, powered(machineId)),
    console: async () => {
      throw new ForewarmError("INVALID_REQUEST", "simulated machines have no console");
    },
    events: async (sequence) => machines.events.filter((event) => event.sequence > sequence),
    close: async () => {},
    faults: simulatedFaults(machines),
  };
}
