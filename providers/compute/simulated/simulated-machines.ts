import { ForewarmError } from "../../../domain/errors.ts";
import { drawDelayMs } from "../boot-delay.ts";
import type { DelayDistribution } from "../boot-delay.ts";
import type { LaunchHost, LaunchRequest, Machine, ProviderEvent, ZoneLimits } from "../compute-provider.ts";

export interface SimulatedComputeOptions {
  /** Virtual time, in milliseconds since the epoch. */
  clock: { nowMs(): number };
  /** Uniform over [0, 1). */
  random: () => number;
  /** From launch to running. */
  leadTime: DelayDistribution;
  /** Share of boots that hang for ever; default 0. */
  launchFailureShare?: number;
  /** Hosts that fit in each zone; default 1000 in zone `a`. */
  zones?: Record<string, number>;
  /** False declares that machines cannot be stopped; the default is that they can. */
  canStop?: boolean;
}

interface SimulatedMachine {
  machine: Machine;
  /** Infinity for a boot that hangs. */
  runningFromMs: number;
}

const firstAddress = 0x0a_00_00_01;

/** The machines of one simulation, and what befell them. */
export class SimulatedMachines {
  readonly events: ProviderEvent[] = [];
  readonly lostZones = new Set<string>();
  private readonly machines = new Map<string, SimulatedMachine>();
  private readonly zones: Record<string, number>;
  private readonly options: SimulatedComputeOptions;

  constructor(options: SimulatedComputeOptions) {
    this.options = options;
    this.zones = options.zones ?? { a: 1000 };
  }

  private drawRunningFromMs(): number {
    const { random, launchFailureShare = 0, leadTime, clock } = this.options;
    return random() < launchFailureShare ? Number.POSITIVE_INFINITY : clock.nowMs() + drawDelayMs(leadTime, random);
  }

  private find(machineId: string): SimulatedMachine {
    const found = this.machines.get(machineId);
    if (found) return found;
    throw new ForewarmError("NOT_FOUND", `machine ${machineId} is unknown`);
  }

  /** A machine as it is at this moment of virtual time; throws NOT_FOUND. */
  see(machineId: string): Machine {
    const { machine, runningFromMs } = this.find(machineId);
    const isUp = machine.state === "pending" && runningFromMs <= this.options.clock.nowMs();
    return isUp ? { ...machine, state: "running" } : machine;
  }

  list(): Machine[] {
    return [...this.machines.keys()].map((machineId) => this.see(machineId));
  }

  zoneLimits(): ZoneLimits[] {
    return Object.entries(this.zones).map(([zone, hostsMax]) => {
      const live = this.list().filter((machine) => machine.zone === zone && machine.state !== "terminated");
      return { zone, available: !this.lostZones.has(zone), hostsMax, hostsUsed: live.length };
    });
  }

  roomOf(zone: string): number {
    const found = this.zoneLimits().find((limits) => limits.zone === zone);
    return found?.available ? found.hostsMax - found.hostsUsed : 0;
  }

  create(request: LaunchRequest, { hostId, ordinal, zone }: LaunchHost): string {
    const number = this.machines.size + 1;
    const machineId = `sim-${number}`;
    const place = firstAddress + number - 1;
    const address = [24, 16, 8, 0].map((shift) => (place >>> shift) & 255).join(".");
    const access = { address, sshPort: 22, sshUser: "forewarm", hostKeyFingerprint: `SHA256:simulated-${number}` };
    const endpoint = { hostId, machineId, zone, ...access, servicePort: request.servicePort ?? 8080 };
    const { fleet, requestId } = request;
    const named = { machineId, hostId, fleet, requestId, ordinal, zone, endpoint };
    const machine: Machine = { ...named, state: "pending", launchedAtMs: this.options.clock.nowMs() };
    this.machines.set(machineId, { machine, runningFromMs: this.drawRunningFromMs() });
    return machineId;
  }

  setState(machineId: string, state: Machine["state"]): void {
    const entry = this.find(machineId);
    entry.machine = { ...entry.machine, state };
  }

  terminate(machineIds: string[]): void {
    for (const machineId of machineIds) if (this.machines.has(machineId)) this.setState(machineId, "terminated");
  }

  boot(machineId: string): void {
    this.setState(machineId, "pending");
    this.find(machineId).runningFromMs = this.drawRunningFromMs();
  }

  emit(machineId: string, kind: ProviderEvent["kind"], detail: string): void {
    const sequence = this.events.length + 1;
    this.events.push({ sequence, machineId, kind, atMs: this.options.clock.nowMs(), detail });
  }

  /** Cuts the power of a machine that boots or runs. */
  lose(machineId: string, kind: ProviderEvent["kind"], detail: string): void {
    const { state } = this.see(machineId);
    if (state !== "running" && state !== "pending") return;
    this.setState(machineId, "stopped");
    this.emit(machineId, kind, detail);
  }
}
