import { join } from "node:path";
import { Option } from "commander";
import type { Command } from "commander";
import { contextOf } from "../context.ts";

interface ApplyOptions {
  signingKey?: string;
}

/** Adds `apply`: creates or changes a fleet from its template. */
export function registerApply(program: Command): void {
  program
    .command("apply")
    .description("create or change a fleet from its template")
    .argument("<template>", "fleet template, YAML")
    .addOption(new Option("--signing-key <file>", "Ed25519 private key that signs the golden configuration"))
    .action(async (file: string, options: ApplyOptions, command: Command) => apply(file, options, command));
}

async function apply(path: string, { signingKey }: ApplyOptions, command: Command): Promise<void> {
  const { config, print, style } = contextOf(command);
  const [
    { readTemplateFile },
    { readSigningKey },
    { applyTemplate },
    { openSession },
    { workflowIds },
    { formatProblem },
  ] = await Promise.all([
    import("../template-file.ts"),
    import("../golden-bundle.ts"),
    import("../apply-template.ts"),
    import("../session.ts"),
    import("../../workflows/messages.ts"),
    import("../../schema/template-problem.ts"),
  ]);
  const file = await readTemplateFile(path);
  for (const warning of file.warnings) print.note(`${style.warn("warning:")} ${formatProblem(warning)}`);
  const key = readSigningKey(signingKey ?? join(config.home, "keys", "signing.pem"));
  const session = await openSession(config);
  try {
    const answer = await applyTemplate(session.client, { file, key });
    const workflowId = workflowIds.fleet(file.template.fleet);
    const link = session.link(workflowId);
    const record = {
      fleet: file.template.fleet,
      changed: answer.changed,
      template_version: answer.templateVersion,
      golden_epoch: answer.goldenEpoch,
      workflow_id: workflowId,
      web_ui: link,
    };
    print.result(record, () =>
      [
        `fleet ${record.fleet}: ${answer.changed ? "applied" : "unchanged"}, template version ${answer.templateVersion}, golden epoch ${answer.goldenEpoch}`,
        `workflow ${workflowId}${link === null ? "" : `\n${link}`}`,
      ].join("\n"),
    );
  } finally {
    await session.close();
  }
}
