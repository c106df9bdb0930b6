import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { join, normalize } from "node:path";
import { ForewarmError } from "../../../domain/errors.ts";
import type { Machine, ProviderEvent } from "../compute-provider.ts";
import { consoleWriter } from "./host-console.ts";
import type { HostGate } from "./host-gate.ts";
import { newHostKey } from "./host-key.ts";
import { killHost, shutDownHost, signalHost, spawnInHost, startInit } from "./host-processes.ts";
import { consolePath, createRoot, hostFolder, linkRoot, removeHost, rootFolder } from "./host-root.ts";
import { createHostSshServer } from "./host-ssh-server.ts";
import { MachineBook } from "./machine-book.ts";
import type { Change } from "./machine-book.ts";
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
  private readonly book: MachineBook;
  private readonly gate: HostGate;
  private bootTimer: NodeJS.Timeout | undefined;
  private endSlowness: (() => void) | undefined;
  private readonly steps = createSerial();
  private readonly say: (text: string) => void;

  constructor(context: RackContext, machineId: string, gate: HostGate) {
    this.context = context;
    this.machineId = machineId;
    this.book = new MachineBook(context, machineId);
    this.gate = gate;
    this.say = consoleWriter(consolePath(context.home, machineId), context);
    this.serveSsh();
  }

  private serveSsh(): void {
    const { hostKey, changedHostKey, authorizedKey } = this.record;
    const server = createHostSshServer({
      hostKey: changedHostKey ?? hostKey,
      authorizedKey,
      spawnShell: (command) => this.spawnShell(command),
      resolveSocket: (path) => join(this.book.space.root, normalize(`/${path}`)),
      onCommandEnd: ({ code, signal, stderrTail }) => {
        if (code !== 0) this.say(`command ended with ${signal ?? code}: ${stderrTail}`);
      },
    });
    this.gate.handTo((socket) => server.serve(socket));
  }

  private spawnShell(command: string): ChildProcessWithoutNullStreams | null {
    const { init } = this.record;
    return init && spawnInHost(this.book.space, init, command);
  }

  private setGate(): void {
    const { frozen, refuseSsh } = this.record;
    if (this.state !== "running" || refuseSsh) this.gate.set("closed");
    else this.gate.set(frozen ? "held" : "open");
  }

  get record(): HostRecord {
    return this.book.record;
  }

  private get state(): Machine["state"] {
    return this.book.record.machine.state;
  }

  /** Binds the SSH port anew where another program had taken it; throws INSUFFICIENT_CAPACITY while that lasts. */
  private async bindGate(): Promise<void> {
    const { address, sshPort } = this.record.machine.endpoint;
    await this.gate.listen(address, sshPort).catch((error: unknown) => {
      throw new ForewarmError("INSUFFICIENT_CAPACITY", `${address}:${sshPort} is taken`, { cause: error });
    });
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
    await mkdir(hostFolder(this.context.home, this.machineId), { recursive: true });
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
    const init = await startInit(this.context.isolation, this.book.space, log);
    const recorded = this.book.change({ init, bootReadyAtMs: null }, { state: "running" });
    // Whoever is told that the machine runs must also find its SSH open.
    this.setGate();
    this.setSlowness();
    await recorded;
    this.say(`running at ${this.book.space.address}, SSH port ${this.record.machine.endpoint.sshPort}`);
  }

  /** Takes the host over from an earlier rack: what runs goes on running, what was under way is finished. */
  adopt(samePower: boolean): Promise<void> {
    return this.steps.run(async () => {
      const { init, frozen } = this.record;
      if (this.state === "running" && samePower && init && isAlive(init)) {
        await linkRoot(this.context.home, this.machineId);
        if (!frozen) signalHost(this.book.processes, "SIGCONT");
        this.setGate();
        this.setSlowness();
        return;
      }
      if (this.state === "running") await this.losePower("crashed", "its processes were gone when the rack came back");
      else await killHost(this.book.processes);
      if (this.state === "pending") this.continueBoot();
    });
  }

  /** Orderly power off; disk, address and host key stay. Throws INVALID_REQUEST for a terminated machine. */
  stop(): Promise<void> {
    return this.steps.run(async () => {
      if (this.state === "stopped") return this.context.settle();
      this.book.refuseTerminated("stopped");
      const { frozen } = this.record;
      const processes = this.book.processes;
      try {
        await this.powerOff({ state: "stopped" });
      } finally {
        await (frozen ? killHost(processes) : shutDownHost(processes, stopGraceMs));
      }
      this.say("stopped");
    });
  }

  /** Boots a stopped machine; one that boots or runs is left alone. */
  start(): Promise<void> {
    return this.steps.run(async () => {
      this.book.refuseTerminated("started");
      if (this.state !== "stopped") return;
      await this.bindGate();
      const boots = this.record.boots + 1;
      const { requestId, ordinal } = this.record.machine;
      await this.book.change(
        { boots, bootReadyAtMs: this.context.planBoot({ requestId, ordinal, boots }) },
        { state: "pending" },
      );
      this.continueBoot();
    });
  }

  private async powerOff(news: Change): Promise<void> {
    clearTimeout(this.bootTimer);
    this.endSlowness?.();
    this.gate.set("closed");
    await this.book.change({ init: null, bootReadyAtMs: null, frozen: false, reclaimAtMs: null }, news);
  }

  /** Ends the machine for ever: no process, no folder, no listener stays. */
  terminate(): Promise<void> {
    return this.steps.run(async () => {
      const processes = this.book.processes;
      // Terminated but still here: an earlier try ended at a full disk.
      await (this.state === "terminated" ? this.context.settle() : this.powerOff({ state: "terminated" }));
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
    const processes = this.book.processes;
    try {
      await this.powerOff({ state: "stopped", event: { kind, detail } });
    } finally {
      await killHost(processes);
    }
    this.say(`power lost: ${detail}`);
  }

  /** Stops, or lets go on, all processes and the network of a running host. */
  freeze(frozen: boolean, event?: Pick<ProviderEvent, "kind" | "detail">): Promise<void> {
    return this.steps.run(async () => {
      if (this.state !== "running") return;
      await this.book.change({ frozen }, event ? { event } : {});
      this.setSlowness();
      this.pause(frozen);
    });
  }

  private pause(paused: boolean): void {
    signalHost(this.book.processes, paused ? "SIGSTOP" : "SIGCONT");
    if (paused) this.gate.set("held");
    else this.setGate();
  }

  /** The host runs only this share of the time. */
  slow(runShare: number): Promise<void> {
    return this.steps.run(async () => {
      await this.book.change({ runShare });
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
      await this.book.change({ refuseSsh });
      this.setGate();
    });
  }

  /** Shows another host key than the recorded one, or that one again. */
  changeHostKey(changed: boolean): Promise<void> {
    return this.steps.run(async () => {
      await this.book.change({ changedHostKey: changed ? newHostKey() : null });
      this.serveSsh();
      this.gate.dropAll();
    });
  }

  /** Announces the loss of the machine, which comes when the grace is over. */
  reclaim(graceSeconds: number): Promise<void> {
    return this.steps.run(async () => {
      this.book.refuseTerminated("reclaimed");
      const detail = `the machine is taken back in ${graceSeconds} s`;
      const reclaimAtMs = this.context.nowMs() + graceSeconds * 1000;
      await this.book.change({ reclaimAtMs }, { event: { kind: "reclaim-notice", detail } });
    });
  }

  /** Ends faults that need nothing more than forgetting. */
  forgetFaults(): Promise<void> {
    return this.steps.run(async () => {
      await this.book.change({ runShare: 1, refuseSsh: false, reclaimAtMs: null });
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
      if (this.state === "running" && !this.record.frozen) signalHost(this.book.processes, "SIGCONT");
    }
    await this.steps.idle();
    await this.gate.close();
  }
}
