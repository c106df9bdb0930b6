import type { Command } from "commander";
import type { FleetHandle } from "../fleet-handle.ts";
import { withFleet } from "../with-fleet.ts";

/** Adds `host`: a fleet's single hosts, listed, held back and replaced. */
export function registerHost(program: Command): void {
  const host = program.command("host").description("list single hosts, hold them back, give them back, replace them");
  host
    .command("list")
    .description("show every host of a fleet")
    .argument("<fleet>", "name of the fleet")
    .action(async (name: string, _options: unknown, command: Command) => list(name, command));
  registerMove(host, {
    verb: "cordon",
    description: "hold a host back: it is not claimed, updated, demoted or retired; a serving one goes on serving",
    send: (fleet, hostId) => fleet.cordon(hostId),
    told: (hostId, state) => `${hostId} is cordoned; it stays ${state}`,
  });
  registerMove(host, {
    verb: "uncordon",
    description: "give a host back to its fleet; one in quarantine is verified first",
    send: (fleet, hostId) => fleet.uncordon(hostId),
    told: (hostId, state) =>
      state === "quarantined" ? `${hostId} is verified and joins standby when it passes` : `${hostId} is ${state}`,
  });
  registerMove(host, {
    verb: "replace",
    description: "destroy a host and let another take its place; a serving one leaves once the others suffice",
    send: (fleet, hostId) => fleet.replace(hostId),
    told: (hostId, state) =>
      state === "serving" ? `${hostId} leaves as soon as another serves in its place` : `${hostId} is ${state}`,
  });
}

interface Move {
  verb: string;
  description: string;
  send: (fleet: FleetHandle, hostId: string) => ReturnType<FleetHandle["cordon"]>;
  told: (hostId: string, state: string) => string;
}

function registerMove(host: Command, { verb, description, send, told }: Move): void {
  host
    .command(verb)
    .description(description)
    .argument("<fleet>", "name of the fleet")
    .argument("<host>", "host id, such as web-7")
    .action(async (...[name, hostId, , command]: [string, string, unknown, Command]) =>
      withFleet(command, name, async ({ fleet, print }) => {
        const { state } = await send(fleet, hostId);
        print.result({ host: hostId, state }, () => told(hostId, state));
      }),
    );
}

async function list(name: string, command: Command): Promise<void> {
  await withFleet(command, name, async ({ fleet, print, style, tableColumns }) => {
    const [{ hostTable }, { hostRecord }] = await Promise.all([
      import("../output/fleet-view.ts"),
      import("../output/fleet-record.ts"),
    ]);
    const { hosts } = await fleet.describe();
    print.result(hosts.map(hostRecord), () => hostTable(hosts, { style, columns: tableColumns }).join("\n"));
  });
}
