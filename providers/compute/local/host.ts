import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { join, normalize } from "node:path";
import { ForewarmError } from "../../../domain/errors.ts";
import type { Machine, ProviderEvent } from "../compute-provider.ts";
import { writeConsole } from "./host-console.ts";
import type { HostGate } from "./host-gate.ts";
import { newHostKey } from "./host-key.ts";
import { killHost, shutDownHost, signalHost, spawnInHost, startInit } from "./host-processes.ts";
import type { HostProcesses } from "./host-processes.ts";
import { consolePath, createRoot, linkRoot, removeHost, rootFolder, usedRoot } from "./host-root.ts";
import { createHostSshServer } from "./host-ssh-server.ts";
import type { HostSpace } from "./isolation.ts";
import { isAlive } from "./process-table.ts";
import type { RackContext } from "./rack-context.ts";
import type { HostRecord } from "./rack-state.ts";
import { createSerial } from "./serial.ts";
import { startSlowness } from "./slowness.ts";

const stopGraceMs = 3000;

/** The living side of one machine: its power, its processes and its SSH server. Changes are made one after the other. */
export class RackHost {
  readonly machineId: string;
  private readonly context: RackContext;
  private readonly gate: HostGate;
  private bootTimer: NodeJS.Timeout | undefined;
  private endSlowness: (() => void) | undefined;
  private readonly steps = createSerial();

  constructor(context: RackContext, machineId: string, gate: HostGate) {
    this.context = context;
    this.machineId = machineId;
    this.gate = gate;
    this.serveSsh();
  }

  get record(): HostRecord {
    const record = this.context.state.hosts.get(this.machineId);
    if (record) return record;
    throw new ForewarmError("NOT_FOUND", `machine ${this.machineId} is unknown`);
  }

  private get state(): Machine["state"] {
    return this.record.machine.state;
  }

  private async change(patch: Partial<HostRecord>, state: Machine["state"] = this.state): Promise<void> {
    const before = this.record;
    await this.context.commit([{ kind: "host", host: { ...before, ...patch, machine: { ...before.machine, state } } }]);
  }

  private say(text: string): void {
    const path = consolePath(this.context.home, this.machineId);
    writeConsole(path, this.context.nowMs(), text).catch((error: unknown) =>
      this.context.log.warn({ err: error, machineId: this.machineId }, "console not written"),
    );
  }

  private get space(): HostSpace {
    const { hostId, address, servicePort } = this.record.machine.endpoint;
    const root = usedRoot(this.context.home, this.machineId);
    return { machineId: this.machineId, hostId, root, address, servicePort };
  }

  private get processes(): HostProcesses {
    return { machineId: this.machineId, init: this.record.init };
  }

  private serveSsh(): void {
    const { hostKey, changedHostKey, authorizedKey } = this.record;
    const server = createHostSshServer({
      hostKey: changedHostKey ?? hostKey,
      authorizedKey,
      spawnShell: (command) => this.spawnShell(command),
      resolveSocket: (path) => join(this.space.root, normalize(`/${path}`)),
      onCommandEnd: ({ code, signal, stderrTail }) => {
        if (code !== 0) this.say(`command ended with ${signal ?? code}: ${stderrTail}`);
      },
    });
    this.gate.handTo((socket) => server.serve(socket));
  }

  private spawnShell(command: string): ChildProcessWithoutNullStreams {
    const { init } = this.record;
    if (!init) throw new ForewarmError("INVARIANT", `machine ${this.machineId} is not running`);
    return spawnInHost(this.context.isolation, this.space, { initPid: init.pid, command });
  }

  private setGate(): void {
    const { frozen, refuseSsh } = this.record;
    if (this.state !== "running" || refuseSsh) this.gate.set("closed");
    else this.gate.set(frozen ? "held" : "open");
  }

  /** Goes on with the boot that the record says is under way. */
  continueBoot(): void {
    const { boots } = this.record;
    void this.steps.run(() => this.prepareBoot(boots)).catch((error: unknown) => this.bootFailed(error));
  }

  private bootFailed(error: unknown): void {
    this.context.log.error({ err: error, machineId: this.machineId }, "boot failed");
    this.say(`boot failed: ${error instanceof Error ? error.message : String(error)}`);
  }

  private async prepareBoot(boots: number): Promise<void> {
    const { machine, image, bootReadyAtMs } = this.record;
    if (machine.state !== "pending" || this.record.boots !== boots) return;
    this.say(`boot ${boots} of ${machine.hostId}; SSH host key ${machine.endpoint.hostKeyFingerprint}`);
    await createRoot(image, rootFolder(this.context.home, this.machineId));
    await linkRoot(this.context.home, this.machineId);
    if (bootReadyAtMs === null) return;
    const leftMs = Math.max(0, bootReadyAtMs - this.context.nowMs());
    this.bootTimer = setTimeout(() => {
      void this.steps.run(() => this.finishBoot(boots)).catch((error: unknown) => this.bootFailed(error));
    }, leftMs);
  }

  private async finishBoot(boots: number): Promise<void> {
    if (this.state !== "pending" || this.record.boots !== boots) return;
    const log = consolePath(this.context.home, this.machineId);
    const init = await startInit(this.context.isolation, this.space, log);
    await this.change({ init, bootReadyAtMs: null }, "running");
    this.setGate();
    this.setSlowness();
    this.say(`running at ${this.space.address}, SSH port ${this.record.machine.endpoint.sshPort}`);
  }

  /** Takes the host over from an earlier rack: what runs goes on running, what was under way is finished. */
  adopt(samePower: boolean): Promise<void> {
    return this.steps.run(async () => {
      const { init, frozen } = this.record;
      if (this.state === "running" && samePower && init && isAlive(init)) {
        await linkRoot(this.context.home, this.machineId);
        if (!frozen) signalHost(this.processes, "SIGCONT");
        this.setGate();
        this.setSlowness();
        return;
      }
      if (this.state === "running") await this.losePower("crashed", "its processes were gone when the rack came back");
      else await killHost(this.processes);
      if (this.state === "pending") this.continueBoot();
    });
  }

  /** Orderly power off; disk, address and host key stay. Throws INVALID_REQUEST for a terminated machine. */
  stop(): Promise<void> {
    return this.steps.run(async () => {
      if (this.state === "stopped") return;
      this.refuseTerminated("stopped");
      const { frozen } = this.record;
      const processes = this.processes;
      await this.powerOff();
      await (frozen ? killHost(processes) : shutDownHost(processes, stopGraceMs));
      this.say("stopped");
    });
  }

  /** Boots a stopped machine; one that boots or runs is left alone. */
  start(): Promise<void> {
    return this.steps.run(async () => {
      this.refuseTerminated("started");
      if (this.state !== "stopped") return;
      const boots = this.record.boots + 1;
      const { requestId, ordinal } = this.record.machine;
      await this.change({ boots, bootReadyAtMs: this.context.planBoot({ requestId, ordinal, boots }) }, "pending");
      this.continueBoot();
    });
  }

  private refuseTerminated(verb: string): void {
    if (this.state === "terminated")
      throw new ForewarmError("INVALID_REQUEST", `machine ${this.machineId} is terminated and cannot be ${verb}`);
  }

  private async powerOff(state: Machine["state"] = "stopped"): Promise<void> {
    clearTimeout(this.bootTimer);
    this.endSlowness?.();
    this.gate.set("closed");
    await this.change({ init: null, bootReadyAtMs: null, frozen: false, reclaimAtMs: null }, state);
  }

  /** Ends the machine for ever: no process, no folder, no listener stays. */
  terminate(): Promise<void> {
    return this.steps.run(async () => {
      const processes = this.processes;
      if (this.state !== "terminated") await this.powerOff("terminated");
      await this.gate.close();
      await killHost(processes);
      await removeHost(this.context.home, this.machineId);
    });
  }

  /** The power fails: everything on the host dies at once. */
  crash(kind: ProviderEvent["kind"], detail: string): Promise<void> {
    return this.steps.run(async () => {
      if (this.state === "running" || this.state === "pending") await this.losePower(kind, detail);
    });
  }

  private async losePower(kind: ProviderEvent["kind"], detail: string): Promise<void> {
    const processes = this.processes;
    await this.powerOff();
    await this.context.emit({ machineId: this.machineId, kind, detail });
    await killHost(processes);
    this.say(`power lost: ${detail}`);
  }

  /** Stops, or lets go on, all processes and the network of a running host. */
  freeze(frozen: boolean): Promise<void> {
    return this.steps.run(async () => {
      if (this.state !== "running") return;
      await this.change({ frozen });
      this.setSlowness();
      this.pause(frozen);
    });
  }

  private pause(paused: boolean): void {
    signalHost(this.processes, paused ? "SIGSTOP" : "SIGCONT");
    if (paused) this.gate.set("held");
    else this.setGate();
  }

  /** The host runs only this share of the time. */
  slow(runShare: number): Promise<void> {
    return this.steps.run(async () => {
      await this.change({ runShare });
      this.setSlowness();
    });
  }

  private setSlowness(): void {
    this.endSlowness?.();
    const { runShare, frozen } = this.record;
    if (this.state !== "running" || frozen || runShare >= 1) return;
    this.endSlowness = startSlowness(runShare, (paused) => this.pause(paused));
  }

  refuseSsh(refuseSsh: boolean): Promise<void> {
    return this.steps.run(async () => {
      await this.change({ refuseSsh });
      this.setGate();
    });
  }

  /** Shows another host key than the recorded one, or that one again. */
  changeHostKey(changed: boolean): Promise<void> {
    return this.steps.run(async () => {
      await this.change({ changedHostKey: changed ? newHostKey() : null });
      this.serveSsh();
      this.gate.dropAll();
    });
  }

  /** Announces the loss of the machine, which comes when the grace is over. */
  reclaim(graceSeconds: number): Promise<void> {
    return this.steps.run(async () => {
      this.refuseTerminated("reclaimed");
      await this.change({ reclaimAtMs: this.context.nowMs() + graceSeconds * 1000 });
      const detail = `the machine is taken back in ${graceSeconds} s`;
      await this.context.emit({ machineId: this.machineId, kind: "reclaim-notice", detail });
    });
  }

  /** Ends faults that need nothing more than forgetting. */
  forgetFaults(): Promise<void> {
    return this.steps.run(async () => {
      await this.change({ runShare: 1, refuseSsh: false, reclaimAtMs: null });
      this.setSlowness();
      this.setGate();
    });
  }

  get isReclaimDue(): boolean {
    const { reclaimAtMs } = this.record;
    return reclaimAtMs !== null && reclaimAtMs <= this.context.nowMs();
  }

  /** Notices that the first process of a running host has died. */
  async check(): Promise<void> {
    const { init } = this.record;
    if (this.state === "running" && init && !isAlive(init)) await this.crash("crashed", "its first process ended");
  }

  /** Lets go of the host without touching what runs on it. */
  async release(): Promise<void> {
    clearTimeout(this.bootTimer);
    if (this.endSlowness) {
      this.endSlowness();
      if (this.state === "running" && !this.record.frozen) signalHost(this.processes, "SIGCONT");
    }
    await this.steps.idle();
    await this.gate.close();
  }
}
