import type { Command } from "commander";
import { withFleet } from "../with-fleet.ts";

/** Adds `release`, `promote` and `demote`: moves of single hosts by name or claim. */
export function registerRelease(program: Command): void {
  program
    .command("release")
    .description("give a claimed host back to standby")
    .argument("<fleet>", "name of the fleet")
    .argument("<claim-id>", "id that `claim` printed")
    .action(async (...[name, claimId, , command]: [string, string, unknown, Command]) =>
      withFleet(command, name, async ({ fleet, print }) => {
        const answer = await fleet.release(claimId);
        const text =
          answer.hostId === null
            ? `claim ${claimId} holds no host; if it was waiting, it no longer is`
            : `${answer.hostId} drains and returns to standby`;
        print.result({ claim_id: claimId, host: answer.hostId }, () => text);
      }),
    );
}

export function registerPromote(program: Command): void {
  program
    .command("promote")
    .description("put a standby host into rotation")
    .argument("<fleet>", "name of the fleet")
    .argument("<host>", "host id, such as web-7")
    .action(async (...[name, hostId, , command]: [string, string, unknown, Command]) =>
      withFleet(command, name, async ({ fleet, print }) => {
        const answer = await fleet.promote(hostId);
        print.result({ host: answer.hostId, state: answer.state }, () => `${hostId} is ${answer.state}`);
      }),
    );
}

export function registerDemote(program: Command): void {
  program
    .command("demote")
    .description("take a serving host back to standby")
    .argument("<fleet>", "name of the fleet")
    .argument("<host>", "host id, such as web-7")
    .action(async (...[name, hostId, , command]: [string, string, unknown, Command]) =>
      withFleet(command, name, async ({ fleet, print }) => {
        const answer = await fleet.demote(hostId);
        print.result({ host: answer.hostId, state: answer.state }, () => `${hostId} is ${answer.state}`);
      }),
    );
}
