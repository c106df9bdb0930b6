import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { describe, expect, test } from "vitest";
import { exitCodes } from "../../client/exit-codes.ts";
import { runCli } from "../../client/run-cli.ts";
import { ForewarmError } from "../../domain/errors.ts";
import { forewarm } from "./run-program.ts";

const cli = fileURLToPath(new URL("../../client/cli.ts", import.meta.url));

function spawnCli(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, ["--import", "tsx", cli, ...args], { encoding: "utf8" });
}

/** Runs an action that fails with `error`. */
async function failing(error: unknown, ...args: string[]): Promise<{ code: number; err: string }> {
  let err = "";
  const program = new Command("forewarm").option("--output <mode>").exitOverride();
  program.configureOutput({
    writeErr: (text) => void (err += text),
    getOutHasColors: () => false,
    outputError: () => {},
  });
  program.command("act").action(() => {
    throw error;
  });
  return { code: await runCli(program, ["act", ...args]), err };
}

describe("usage", () => {
  test("help lists the verbs that work, in groups", async () => {
    const { code, out } = await forewarm("--help");
    expect(code).toBe(0);
    for (const verb of ["up", "down", "init", "validate", "schema", "doctor", "worker", "complete"]) {
      expect(out).toMatch(new RegExp(`^ {2}${verb} `, "m"));
    }
    expect(out).toContain("\nTemplates:\n");
  });

  test.each([
    [["validte"], "error USAGE: unknown command 'validte' (Did you mean validate?)\n  See `forewarm --help`.\n"],
    [["init", "--forse"], "error USAGE: unknown option '--forse' (Did you mean --force?)\n  See `forewarm --help`.\n"],
    [["validate"], "error USAGE: missing required argument 'files'\n  See `forewarm --help`.\n"],
  ])("%j is answered with the near word and status 1", async (args, err) => {
    expect(await forewarm(...args)).toEqual({ code: 1, out: "", err });
  });

  test("a mode that does not exist is refused", async () => {
    const { code, err } = await forewarm("doctor", "--output", "xml");
    expect({ code, err }).toMatchObject({
      code: 1,
      err: expect.stringContaining("Allowed choices are text, json, jsonl"),
    });
  });
});

describe("errors", () => {
  test("print code, message and cure, without a stack", async () => {
    const { code, err } = await failing(new ForewarmError("FLEET_UNKNOWN", "no fleet web"));
    expect(code).toBe(exitCodes.error);
    expect(err).toBe("error FLEET_UNKNOWN: no fleet web\n  Create the fleet with `forewarm apply TEMPLATE`.\n");
  });

  test("are one line of JSON in JSON mode", async () => {
    const { err } = await failing(new ForewarmError("FLEET_UNKNOWN", "no fleet web"), "--output", "json");
    expect(JSON.parse(err)).toMatchObject({ error: { code: "FLEET_UNKNOWN", message: "no fleet web" } });
  });

  test("of a policy have status 3", async () => {
    expect((await failing(new ForewarmError("POLICY_REFUSED", "frozen"))).code).toBe(exitCodes.refused);
  });

  test("that nobody expected are named so", async () => {
    const { code, err } = await failing(new TypeError("x is undefined"));
    expect([code, err]).toEqual([
      1,
      expect.stringMatching(/^error UNEXPECTED: x is undefined\n {2}.*FOREWARM_DEBUG=1/),
    ]);
  });
});

describe("as a process", { timeout: 60_000 }, () => {
  test("prints its version and ends well", () => {
    const { status, stdout, stderr } = spawnCli("--version");
    expect({ status, stdout, stderr }).toEqual({
      status: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
      stderr: "",
    });
  });

  test("completes verbs and values of options for a shell", () => {
    expect(spawnCli("complete", "--", "val").stdout).toMatch(/^validate\t/);
    expect(spawnCli("complete", "--", "--output", "").stdout).toMatch(/^text\s+json\s+jsonl/);
  });

  test("prints a completion script", () => {
    expect(spawnCli("complete", "bash").stdout).toContain("complete -F __forewarm_complete forewarm");
  });
});
