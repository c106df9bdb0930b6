import { Command } from "commander";
import { afterEach, beforeEach, expect, test } from "vitest";
import { registerDown } from "../../client/commands/down.ts";
import { registerUp } from "../../client/commands/up.ts";

let program: Command;
let errors: string;

beforeEach(() => {
  errors = "";
  program = new Command("forewarm").exitOverride().configureOutput({ writeErr: (text) => (errors += text) });
  registerUp(program);
  registerDown(program);
});

afterEach(() => {
  process.exitCode = 0;
});

test("up explains how it ends and which walls there are", () => {
  const help = program.commands.find((command) => command.name() === "up")!.helpInformation();
  expect(help).toContain("--detach");
  expect(help.replace(/\s+/g, " ")).toContain('(choices: "auto", "bwrap", "none", default: "auto")');
});

test("up refuses walls it does not know before it starts anything", async () => {
  await expect(program.parseAsync(["up", "--isolation", "brick"], { from: "user" })).rejects.toMatchObject({
    code: "commander.invalidArgument",
  });
  expect(errors).toContain("Allowed choices are auto, bwrap, none");
});

test("down takes no arguments", async () => {
  await expect(program.parseAsync(["down", "now"], { from: "user" })).rejects.toMatchObject({
    code: "commander.excessArguments",
  });
});
