import { ForewarmError } from "../../../domain/errors.ts";
import type { Machine, ProviderEvent } from "../compute-provider.ts";
import type { HostProcesses } from "./host-processes.ts";
import { usedRoot } from "./host-root.ts";
import type { HostSpace } from "./isolation.ts";
import type { RackContext } from "./rack-context.ts";
import type { HostRecord } from "./rack-state.ts";

/** What happens together with a change of a record. */
export interface Change {
  state?: Machine["state"];
  event?: Pick<ProviderEvent, "kind" | "detail">;
}

/** The journaled record of one machine, and what follows from it. */
export class MachineBook {
  private readonly context: RackContext;
  private readonly machineId: string;

  constructor(context: RackContext, machineId: string) {
    this.context = context;
    this.machineId = machineId;
  }

  /** The record as it is now; throws NOT_FOUND once it is forgotten. */
  get record(): HostRecord {
    const record = this.context.state.hosts.get(this.machineId);
    if (record) return record;
    throw new ForewarmError("NOT_FOUND", `machine ${this.machineId} is unknown`);
  }

  get space(): HostSpace {
    const { hostId, address, servicePort } = this.record.machine.endpoint;
    const root = usedRoot(this.context.home, this.machineId);
    return { machineId: this.machineId, hostId, root, address, servicePort };
  }

  get processes(): HostProcesses {
    return { machineId: this.machineId, init: this.record.init };
  }

  /** Changes the record at once; resolves when that, and the news of it, is on disk. */
  change(patch: Partial<HostRecord>, { state, event }: Change = {}): Promise<void> {
    const { record, machineId, context } = this;
    const machine = { ...record.machine, state: state ?? record.machine.state };
    const entry = { kind: "host" as const, host: { ...record, ...patch, machine } };
    return context.commit(event ? [entry, context.eventEntry({ machineId, ...event })] : [entry]);
  }

  /** Throws INVALID_REQUEST for a terminated machine. */
  refuseTerminated(verb: string): void {
    if (this.record.machine.state === "terminated")
      throw new ForewarmError("INVALID_REQUEST", `machine ${this.machineId} is terminated and cannot be ${verb}`);
  }
}
