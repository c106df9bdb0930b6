import type { Command } from "commander";

/** Adds `complete`: prints the completion script of a shell, and answers what that script asks. */
export function registerComplete(program: Command): void {
  const complete = program
    .command("complete")
    .description("print the completion script of a shell: source <(forewarm complete bash)")
    .argument("<shell>", "zsh, bash, fish or powershell")
    .argument("[words...]", "what the script asks about")
    .allowUnknownOption();
  complete.action(async () => answer(complete));
}

/** The library brings a `complete` of its own, which takes the place of ours once it is asked for. */
async function answer(own: Command): Promise<void> {
  const program = own.parent;
  if (program === null) return;
  const { default: addCompletion } = await import("@bomb.sh/tab/commander");
  const siblings = program.commands.filter((command) => command !== own);
  const bare = program.createCommand(program.name()).copyInheritedSettings(program);
  for (const option of program.options) bare.addOption(option);
  for (const command of siblings) bare.addCommand(command);
  addCompletion(bare);
  await bare.parseAsync(argumentsOf(program), { from: "user" });
}

/** Commander keeps them as they were given, `--` included, but does not declare the property. */
function argumentsOf(program: Command): string[] {
  const given: unknown = Reflect.get(program, "rawArgs");
  return Array.isArray(given) ? given.map(String) : [];
}
