import { createHash } from "node:crypto";
import { ForewarmError } from "../../../domain/errors.ts";
import type {
  ComputeCapabilities,
  LaunchHost,
  LaunchRequest,
  Machine,
  MachineFilter,
  ProviderEvent,
  ZoneLimits,
} from "../compute-provider.ts";
import { admitHosts, launchFingerprint, rememberedMachines } from "../launch-memory.ts";
import { matchesFilter } from "../machine-filter.ts";
import type { AddressBook, HostAddress } from "./addresses.ts";
import { turnKnob, zoneKnobs } from "./fault-knobs.ts";
import type { RackFault } from "./fault-knobs.ts";
import { readConsole } from "./host-console.ts";
import type { HostGate } from "./host-gate.ts";
import { keyFingerprint, newHostKey, parsePublicKey } from "./host-key.ts";
import { playOnHosts, playOnMachine } from "./host-faults.ts";
import { RackHost } from "./host.ts";
import { checkImage, consolePath } from "./host-root.ts";
import { sshUser } from "./host-ssh-server.ts";
import type { RackContext } from "./rack-context.ts";
import type { HostRecord, LaunchEntry } from "./rack-state.ts";
import { createSerial } from "./serial.ts";

const defaultServicePort = 8080;

interface Claim {
  place: HostAddress;
  gate: HostGate;
}

export interface RackOptions {
  context: RackContext;
  addresses: AddressBook;
  hosts: Map<string, RackHost>;
  /** Zones shown before anything was launched in them. */
  zones: string[];
  hostsPerZone: number;
}

/** The verbs of the rack. Launches and tombstones are taken one after the other, so that neither misses the other. */
export class Rack {
  private readonly options: RackOptions;
  private readonly launches = createSerial();

  constructor(options: RackOptions) {
    this.options = options;
  }

  private get state() {
    return this.options.context.state;
  }

  capabilities(): ComputeCapabilities {
    const { isolation } = this.options.context;
    const missing = { hibernate: false, network: false, volumes: false, snapshots: false };
    return { stop: true, console: true, events: true, ...missing, isolation };
  }

  private used(zone: string): number {
    const live = [...this.state.hosts.values()].filter(({ machine }) => machine.state !== "terminated");
    return live.filter(({ machine }) => machine.zone === zone).length;
  }

  private zoneLimits(zone: string): ZoneLimits {
    const knobs = zoneKnobs(this.state.knobs, zone);
    const hostsUsed = this.used(zone);
    const hostsMax = knobs.full ? hostsUsed : (knobs.hostsMax ?? this.options.hostsPerZone);
    return { zone, available: !knobs.lost, hostsMax, hostsUsed };
  }

  limits(): ZoneLimits[] {
    const inUse = [...this.state.hosts.values()].map(({ machine }) => machine.zone);
    const zones = new Set([...this.options.zones, ...inUse, ...Object.keys(this.state.knobs.zones)]);
    return [...zones].map((zone) => this.zoneLimits(zone));
  }

  launch(request: LaunchRequest): Promise<Machine[]> {
    return this.launches.run(async () => {
      const known = rememberedMachines(this.state, request);
      if (known) return this.machines(known);
      parsePublicKey(request.authorizedKey);
      await checkImage(request.image);
      const admitted = admitHosts(this.state, request, (zone) => this.room(zone));
      return this.create(request, admitted);
    });
  }

  private room(zone: string): number {
    const { available, hostsMax, hostsUsed } = this.zoneLimits(zone);
    return available ? hostsMax - hostsUsed : 0;
  }

  private async create(request: LaunchRequest, hosts: LaunchHost[]): Promise<Machine[]> {
    const servicePort = request.servicePort ?? defaultServicePort;
    const claims = await this.claimAll(hosts.length, servicePort);
    const records = hosts.map((host, index) => this.newRecord(request, host, claims[index]?.place));
    const machineIds = records.map(({ machine }) => machine.machineId);
    const { requestId } = request;
    const fingerprint = launchFingerprint(request);
    try {
      await this.record({ kind: "launch", requestId, fingerprint, machineIds, hosts: records });
    } catch (error) {
      await this.giveBack(claims);
      throw error;
    }
    for (const [index, machineId] of machineIds.entries()) this.power(machineId, claims[index]?.gate);
    return this.machines(machineIds);
  }

  /** A launch that cannot be recorded has not been, so that the same request can be tried anew. Throws DISK_FULL. */
  private async record(launch: LaunchEntry): Promise<void> {
    const { context } = this.options;
    try {
      await context.commit([launch]);
    } catch (error) {
      context.withdraw(launch);
      throw error;
    }
  }

  private async giveBack(claims: Claim[]): Promise<void> {
    await Promise.all(claims.map(({ gate }) => gate.close()));
    for (const { place } of claims) this.options.addresses.release(place);
  }

  private power(machineId: string, gate: HostGate | undefined): void {
    if (!gate) return;
    const host = new RackHost(this.options.context, machineId, gate);
    this.options.hosts.set(machineId, host);
    host.continueBoot();
  }

  /** All addresses of a batch or none. */
  private async claimAll(count: number, servicePort: number): Promise<Claim[]> {
    const tries = Array.from({ length: count }, () => this.options.addresses.claim(servicePort));
    const settled = await Promise.allSettled(tries);
    const claims = settled.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
    const failed = settled.find((result) => result.status === "rejected");
    if (!failed) return claims;
    await this.giveBack(claims);
    throw failed.reason;
  }

  private newRecord(request: LaunchRequest, host: LaunchHost, place: HostAddress | undefined): HostRecord {
    if (!place) throw new ForewarmError("INVARIANT", `no address for ${host.hostId}`);
    const { requestId, fleet, image, authorizedKey } = request;
    const { hostId, ordinal, zone } = host;
    const named = createHash("sha256").update(JSON.stringify([this.state.rackId, requestId, ordinal]));
    const machineId = `m-${named.digest("hex").slice(0, 12)}`;
    const hostKey = newHostKey();
    const hostKeyFingerprint = keyFingerprint(hostKey);
    const endpoint = { hostId, machineId, zone, ...place, sshUser, hostKeyFingerprint };
    const launchedAtMs = this.options.context.nowMs();
    const bootReadyAtMs = this.options.context.planBoot({ requestId, ordinal, boots: 1 });
    const machine = {
      machineId,
      hostId,
      fleet,
      requestId,
      ordinal,
      zone,
      state: "pending" as const,
      endpoint,
      launchedAtMs,
    };
    const faults = { changedHostKey: null, frozen: false, refuseSsh: false, runShare: 1, reclaimAtMs: null };
    return { machine, image, authorizedKey, hostKey, boots: 1, bootReadyAtMs, init: null, ...faults };
  }

  private machines(machineIds: string[]): Machine[] {
    return machineIds.flatMap((machineId) => this.state.hosts.get(machineId)?.machine ?? []);
  }

  describe(filter: MachineFilter): Machine[] {
    return [...this.state.hosts.values()]
      .map(({ machine }) => machine)
      .filter((machine) => matchesFilter(machine, filter));
  }

  async terminate(machineIds: string[]): Promise<void> {
    await Promise.all(machineIds.map((machineId) => this.terminateOne(machineId)));
  }

  private async terminateOne(machineId: string): Promise<void> {
    const host = this.options.hosts.get(machineId);
    if (!host) return;
    await host.terminate();
    this.options.hosts.delete(machineId);
    this.options.addresses.release(host.record.machine.endpoint);
  }

  async terminateRequest(requestId: string, ordinals: number[]): Promise<void> {
    await this.launches.run(() => this.options.context.commit([{ kind: "tombstones", requestId, ordinals }]));
    const wanted = this.describe({ requestId }).filter((machine) => ordinals.includes(machine.ordinal));
    await this.terminate(wanted.map((machine) => machine.machineId));
  }

  /** The host of a machine that is not terminated; throws NOT_FOUND, or INVALID_REQUEST for an ended machine. */
  private host(machineId: string): RackHost {
    const host = this.options.hosts.get(machineId);
    if (host) return host;
    if (!this.state.hosts.has(machineId)) throw new ForewarmError("NOT_FOUND", `machine ${machineId} is unknown`);
    throw new ForewarmError("INVALID_REQUEST", `machine ${machineId} is terminated`);
  }

  async stop(machineId: string): Promise<void> {
    await this.host(machineId).stop();
  }

  async start(machineId: string): Promise<void> {
    const host = this.host(machineId);
    const { zone } = host.record.machine;
    if (zoneKnobs(this.state.knobs, zone).lost)
      throw new ForewarmError("INSUFFICIENT_CAPACITY", `zone ${zone} is lost`);
    await host.start();
  }

  async console(machineId: string): Promise<string> {
    if (!this.state.hosts.has(machineId)) throw new ForewarmError("NOT_FOUND", `machine ${machineId} is unknown`);
    return readConsole(consolePath(this.options.context.home, machineId));
  }

  events(after: number): ProviderEvent[] {
    return this.state.events.filter((event) => event.sequence > after);
  }

  /** Looks after the hosts; called a few times a second. */
  async check(): Promise<void> {
    const hosts = [...this.options.hosts.values()];
    const due = hosts.filter((host) => host.isReclaimDue).map((host) => host.machineId);
    await Promise.all([this.terminate(due), ...hosts.map((host) => host.check())]);
  }

  async play(fault: RackFault): Promise<void> {
    if ("machineId" in fault) return playOnMachine(this.host(fault.machineId), fault);
    const { context, hosts } = this.options;
    await context.commit([{ kind: "knobs", knobs: turnKnob(this.state.knobs, fault) }]);
    await playOnHosts([...hosts.values()], fault);
  }
}
