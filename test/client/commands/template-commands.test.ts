import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readTemplate } from "../../../client/read-template.ts";
import { fleetJsonSchema } from "../../../schema/fleet-json-schema.ts";
import { forewarm } from "../run-program.ts";

let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "forewarm-templates-"));
  file = join(folder, "fleet.yaml");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("init", () => {
  test("writes an annotated template that validates", async () => {
    expect(await forewarm("init", file, "--fleet", "shop")).toMatchObject({ code: 0, err: "" });
    const text = readFileSync(file, "utf8");
    expect(text).toMatch(/^# yaml-language-server: \$schema=.*schemas\/fleet\.v1\.json\n/);
    const { code, out } = await forewarm("validate", file, "--output", "json");
    expect({ code, records: JSON.parse(out) }).toMatchObject({ code: 0, records: [{ file, ok: true, fleet: "shop" }] });
  });

  test("keeps a file that exists, unless forced", async () => {
    writeFileSync(file, "mine");
    expect(await forewarm("init", file)).toMatchObject({
      code: 1,
      err: expect.stringContaining("--force replaces it"),
    });
    expect(readFileSync(file, "utf8")).toBe("mine");
    expect(await forewarm("init", file, "--force")).toMatchObject({ code: 0 });
    expect(readFileSync(file, "utf8")).toContain("fleet: web");
  });

  test("refuses a name that the template would refuse", async () => {
    expect(await forewarm("init", file, "--fleet", "My Shop")).toMatchObject({
      code: 1,
      err: expect.stringContaining("--fleet must be lower-case letters, digits and dashes"),
    });
  });
});

describe("validate", () => {
  async function starting(change: (text: string) => string): Promise<void> {
    await forewarm("init", file);
    writeFileSync(file, change(readFileSync(file, "utf8")));
  }

  test("names the place and ends with 1", async () => {
    await starting((text) => text.replace("max_hosts: 24", "max_hosts: 3"));
    const { code, out } = await forewarm("validate", file);
    expect(code).toBe(1);
    expect(out).toMatch(/fleet\.yaml:\d+:14 capacity\.max_hosts: must be at least .*; got 3\n/);
    expect(out).toMatch(/fleet\.yaml: 1 problem\n$/);
  });

  test("checks each of many files, a JSON line for each", async () => {
    await starting((text) => text);
    const bad = join(folder, "bad.yaml");
    writeFileSync(bad, "version: 2\n");
    const { code, out } = await forewarm("validate", file, bad, "--output", "jsonl");
    const records = out
      .trim()
      .split("\n")
      .map((line): unknown => JSON.parse(line));
    expect(code).toBe(1);
    expect(records).toMatchObject([
      { ok: true },
      { ok: false, problems: expect.arrayContaining([expect.objectContaining({ path: "version", line: 1 })]) },
    ]);
  });

  test("finds golden sources that are not there, and takes those that are", async () => {
    await starting((text) => text.replace(/content: \|\n(?: {8}.*\n)+/, "source: web.json\n"));
    expect(await forewarm("validate", file)).toMatchObject({
      code: 1,
      out: expect.stringMatching(/golden\.files\[0\]\.source: must be a readable file; got web\.json/),
    });
    writeFileSync(join(folder, "web.json"), "{}");
    expect(await forewarm("validate", file)).toMatchObject({ code: 0 });
  });

  test("warns of an image folder that is not there", async () => {
    await starting((text) => text.replace(/source: ".*"/, "source: nowhere"));
    expect(await forewarm("validate", file)).toMatchObject({
      code: 0,
      out: expect.stringContaining("image.source: there is no readable folder nowhere"),
    });
  });

  test("says so when a file cannot be read", async () => {
    expect(await forewarm("validate", join(folder, "none.yaml"))).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^error TEMPLATE_UNREADABLE: cannot read .*none\.yaml/),
    });
  });
});

test("readTemplate throws every problem at once", async () => {
  writeFileSync(file, "version: 2\n");
  await expect(readTemplate(file)).rejects.toMatchObject({
    code: "TEMPLATE_INVALID",
    message: expect.stringMatching(/fleet: the key is missing[\s\S]*version: must be `1`; got 2/),
  });
});

test("schema prints what is checked in at schemas/fleet.v1.json", async () => {
  const { out } = await forewarm("schema");
  const stored: unknown = JSON.parse(readFileSync(new URL("../../../schemas/fleet.v1.json", import.meta.url), "utf8"));
  expect(JSON.parse(out)).toEqual(JSON.parse(JSON.stringify(fleetJsonSchema())));
  expect(stored).toEqual(JSON.parse(out));
});
