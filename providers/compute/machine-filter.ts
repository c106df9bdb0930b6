import type { Machine, MachineFilter } from "./compute-provider.ts";

/** Whether a machine satisfies every part of a filter that is given. */
export function matchesFilter(machine: Machine, filter: MachineFilter): boolean {
  if (filter.fleet !== undefined && machine.fleet !== filter.fleet) return false;
  if (filter.requestId !== undefined && machine.requestId !== filter.requestId) return false;
  return filter.machineIds === undefined || filter.machineIds.includes(machine.machineId);
}
