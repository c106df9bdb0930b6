import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "pino";
import { AddressBook } from "./addresses.ts";
import type { RackConfig } from "./config.ts";
import { HostGate } from "./host-gate.ts";
import { killHost } from "./host-processes.ts";
import { hostFolder, removeHost } from "./host-root.ts";
import { RackHost } from "./host.ts";
import { chooseIsolation } from "./isolation.ts";
import { computerBootId } from "./process-table.ts";
import { createRackContext } from "./rack-context.ts";
import type { RackContext } from "./rack-context.ts";
import { openJournal, readJournal } from "./rack-journal.ts";
import { applyEntry, emptyRackState, forgetOldest, snapshotEntries } from "./rack-state.ts";
import type { HostRecord, RackState } from "./rack-state.ts";
import { Rack } from "./rack.ts";

const checkEveryMs = 250;

export interface StartedRack {
  rack: Rack;
  isolation: "bwrap" | "none";
  adopted: number;
  /** Stops serving; hosts go on living. */
  close(): Promise<void>;
}

async function loadState(journalPath: string): Promise<RackState> {
  const state = emptyRackState();
  for (const entry of await readJournal(journalPath)) applyEntry(state, entry);
  if (state.rackId === "") state.rackId = randomUUID();
  return state;
}

/** Ends what a terminate that was cut short has left. */
async function finishEnded(home: string, { machine, init }: HostRecord): Promise<void> {
  if (!existsSync(hostFolder(home, machine.machineId))) return;
  await killHost({ machineId: machine.machineId, init });
  await removeHost(home, machine.machineId);
}

async function adoptHost(context: RackContext, record: HostRecord, samePower: boolean): Promise<RackHost> {
  const { machineId, endpoint } = record.machine;
  const gate = new HostGate();
  const bound = await gate.listen(endpoint.address, endpoint.sshPort).then(
    () => true,
    (error: unknown) => {
      context.log.error({ err: error, machineId }, "address of a host is taken");
      return false;
    },
  );
  const host = new RackHost(context, machineId, gate);
  await host.adopt(samePower);
  if (!bound)
    await host.crash("crashed", `its address ${endpoint.address}:${endpoint.sshPort} was taken by another program`);
  return host;
}

/** Brings back the hosts of an earlier run, each as the journal and the process table say. */
async function adoptAll(context: RackContext, samePower: boolean): Promise<Map<string, RackHost>> {
  const records = [...context.state.hosts.values()];
  const live = records.filter(({ machine }) => machine.state !== "terminated");
  const ended = records.filter(({ machine }) => machine.state === "terminated");
  await Promise.all(ended.map((record) => finishEnded(context.home, record)));
  const hosts = await Promise.all(live.map((record) => adoptHost(context, record, samePower)));
  return new Map(hosts.map((host) => [host.machineId, host]));
}

/** Reads the journal, takes over living hosts, and serves. */
export async function startRack(config: RackConfig, log: Logger): Promise<StartedRack> {
  await mkdir(config.home, { recursive: true, mode: 0o700 });
  const isolation = await chooseIsolation(config.isolation);
  const journalPath = join(config.home, "journal.jsonl");
  const state = await loadState(journalPath);
  const samePower = state.computerBootId === computerBootId();
  state.computerBootId = computerBootId();
  forgetOldest(state);
  const journal = await openJournal(journalPath, snapshotEntries(state));
  const { home, seed } = config;
  const context = createRackContext({ home, seed, isolation, state, journal, log, nowMs: () => Date.now() });
  const hosts = await adoptAll(context, samePower);
  const held = [...hosts.values()].map((host) => host.record.machine.endpoint);
  const addresses = new AddressBook({ mode: config.addresses, rackId: state.rackId, held });
  const rack = new Rack({ context, addresses, hosts, zones: config.zones, hostsPerZone: config.hostsPerZone });
  const checks = setInterval(() => {
    rack.check().catch((error: unknown) => log.error({ err: error }, "check of hosts failed"));
  }, checkEveryMs);
  const close = async () => {
    clearInterval(checks);
    await Promise.all([...hosts.values()].map((host) => host.release()));
    await journal.close();
  };
  return { rack, isolation, adopted: hosts.size, close };
}
