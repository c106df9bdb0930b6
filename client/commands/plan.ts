import type { Command } from "commander";
import type { FleetDescription } from "../../domain/host/describe-fleet.ts";
import type { FleetTemplate } from "../../schema/fleet-template.ts";
import type { TemplateChange } from "../template-changes.ts";
import { exitCodes } from "../exit-codes.ts";
import { withFleet } from "../with-fleet.ts";

interface PlanOptions {
  detailedExitcode: boolean;
}

/** Adds `plan`: what `apply` would change, without changing it. */
export function registerPlan(program: Command): void {
  program
    .command("plan")
    .description("show what applying a template would change")
    .argument("<template>", "fleet template, YAML")
    .option("--detailed-exitcode", "exit with 2 when something would change", false)
    .action(async (file: string, options: PlanOptions, command: Command) => plan(file, options, command));
}

interface Plan {
  template: FleetTemplate;
  current: FleetDescription | null;
  changes: TemplateChange[];
  goldenChanges: boolean;
}

function consequences({ template, current, changes, goldenChanges }: Plan): string[] {
  if (current === null) {
    const { capacity, standby } = template;
    return [
      `the fleet is new: ${capacity.min_serving} serving and ${standby.min} standby hosts are bootstrapped first`,
    ];
  }
  if (changes.length === 0 && !goldenChanges) return ["nothing changes"];
  const standby = current.counts.standby ?? 0;
  const serving = current.counts.serving ?? 0;
  const golden = `the golden moves to epoch ${(current.golden?.epoch ?? 0) + 1}: ${standby} standby hosts are refreshed in two halves, then ${serving} serving hosts, at most ${template.golden.max_updating_percent} % at once`;
  return goldenChanges ? [golden] : ["the golden configuration stays as it is"];
}

async function plan(path: string, { detailedExitcode }: PlanOptions, command: Command): Promise<void> {
  const [{ readTemplateFile }, { goldenDigest }, { describeIfExists, unchangedGolden }, { templateChanges }] =
    await Promise.all([
      import("../template-file.ts"),
      import("../golden-bundle.ts"),
      import("../apply-template.ts"),
      import("../template-changes.ts"),
    ]);
  const file = await readTemplateFile(path);
  const { template } = file;
  await withFleet(command, template.fleet, async ({ fleet, print, style }) => {
    const current = await describeIfExists(fleet);
    const before = current === null ? null : await fleet.template();
    const goldenChanges = unchangedGolden(current, goldenDigest(file)) === null;
    const changes = templateChanges(before, template);
    const planned: Plan = { template, current, changes, goldenChanges };
    const paint = { added: style.good, removed: style.bad, changed: style.warn } as const;
    print.result(
      {
        fleet: template.fleet,
        exists: current !== null,
        changes,
        golden_changes: goldenChanges,
        consequences: consequences(planned),
      },
      () =>
        [
          style.bold(`fleet ${template.fleet}`),
          ...(current === null ? [] : changes).map((change) =>
            paint[change.kind](`  ${change.sign} ${change.path}: ${change.text}`),
          ),
          ...consequences(planned),
        ].join("\n"),
    );
    if (detailedExitcode && (changes.length > 0 || goldenChanges)) process.exitCode = exitCodes.changesPending;
  });
}
