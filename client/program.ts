import { Command, Option, type OutputConfiguration } from "commander";
import { registerComplete } from "./completion.ts";
import { registerApply } from "./commands/apply.ts";
import { registerClaim } from "./commands/claim.ts";
import { registerDemo } from "./commands/demo.ts";
import { registerDoctor } from "./commands/doctor.ts";
import { registerDown } from "./commands/down.ts";
import { registerDemote, registerPromote, registerRelease } from "./commands/host-moves.ts";
import { registerHost } from "./commands/host.ts";
import { registerInit } from "./commands/init.ts";
import { registerPlan } from "./commands/plan.ts";
import { registerSchema } from "./commands/schema.ts";
import { registerStatus } from "./commands/status.ts";
import { registerUp } from "./commands/up.ts";
import { registerValidate } from "./commands/validate.ts";
import { registerWatch } from "./commands/watch.ts";
import { registerWorker } from "./commands/worker.ts";
import { useHome } from "./config.ts";
import { outputModes } from "./output/print.ts";
import { packageVersion } from "./package-files.ts";

type Register = (program: Command) => void;

/** Every command, in the order of `--help`. A verb is listed here once it works. */
const commandGroups: readonly { title: string; commands: readonly Register[] }[] = [
  { title: "Embedded stack:", commands: [registerUp, registerDown, registerDemo] },
  { title: "Templates:", commands: [registerInit, registerValidate, registerSchema] },
  { title: "Fleets:", commands: [registerPlan, registerApply, registerStatus, registerWatch] },
  { title: "Hosts:", commands: [registerClaim, registerRelease, registerPromote, registerDemote, registerHost] },
  { title: "Operation:", commands: [registerDoctor, registerWorker, registerComplete] },
];

/** Builds the command line over the streams of the process, or over `io`. Failures throw instead of ending the process. */
export function createProgram(io: OutputConfiguration = {}): Command {
  const program = new Command("forewarm")
    .description("Keeps verified, drift-free machines ready before demand arrives.")
    .version(packageVersion(), "-V, --version", "print the version")
    .helpOption("-h, --help", "print help")
    .addOption(new Option("-o, --output <mode>", "how results are printed").choices(outputModes).default("text"))
    .option("--home <folder>", "state of the embedded stack (default: FOREWARM_HOME, else the XDG state folder)")
    .optionsGroup("Global options:")
    .exitOverride()
    .configureOutput({ ...io, outputError: () => {} })
    .hook("preAction", (root) => {
      const home: unknown = root.opts()["home"];
      if (typeof home === "string") useHome(home);
    });
  for (const { title, commands } of commandGroups) {
    program.commandsGroup(title);
    for (const register of commands) register(program);
  }
  program.helpCommand(false);
  return program;
}
