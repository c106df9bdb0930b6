import type { Command } from "commander";
import { withFleet } from "../with-fleet.ts";

/** Adds `status`: what a fleet is doing now. */
export function registerStatus(program: Command): void {
  program
    .command("status")
    .description("show a fleet: targets, hosts by state, claims, what went wrong")
    .argument("<fleet>", "name of the fleet")
    .option("--hosts", "list every host", false)
    .action(async (name: string, options: { hosts: boolean }, command: Command) =>
      withFleet(command, name, async ({ fleet, print, style, tableColumns, link }) => {
        const [{ statusLines }, { fleetRecord, hostRecord }] = await Promise.all([
          import("../output/fleet-view.ts"),
          import("../output/fleet-record.ts"),
        ]);
        const description = await fleet.describe();
        const view = { description, style, columns: tableColumns, link, withHosts: options.hosts };
        const record = { ...fleetRecord(description), hosts: description.hosts.map(hostRecord), web_ui: link };
        print.result(record, () => statusLines(view).join("\n"));
      }),
    );
}
