import { readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { WorkflowBundleWithSourceMap } from "@temporalio/worker";
import { bundleWorkflowCode, DefaultLogger, Runtime, Worker } from "@temporalio/worker";
import { beforeAll, describe, expect, test } from "vitest";

interface RecordedHistory {
  events: { activityTaskScheduledEventAttributes?: { activityType: { name: string } } }[];
}

const folder = fileURLToPath(new URL(".", import.meta.url));
const versions = readdirSync(folder, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name);
const filesOf = (version: string): string[] => readdirSync(`${folder}/${version}`);
const read = (path: string): RecordedHistory => JSON.parse(readFileSync(`${folder}/${path}`, "utf8"));

let bundle: WorkflowBundleWithSourceMap;

beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger("ERROR") });
  const quiet = { trace() {}, debug() {}, info() {}, warn: console.warn, error: console.error, log() {} };
  const workflowsPath = fileURLToPath(new URL("../../workflows/index.ts", import.meta.url));
  bundle = await bundleWorkflowCode({ workflowsPath, logger: quiet });
});

describe("the workflow bundle", () => {
  test("holds no schema library and nothing of Node.js", () => {
    const modules = [...bundle.code.matchAll(/^\/\*{3}\/ "([^"]+)"/gm)].map((match) => match[1]!);
    expect(modules.length).toBeGreaterThan(20);
    expect(modules.filter((name) => /node_modules\/(zod|yaml|pino|ssh2|kysely|undici)\//.test(name))).toEqual([]);
    expect(modules.filter((name) => /(^|\/)(providers|client|worker|embedded|agent|schema)\//.test(name))).toEqual([]);
    expect(bundle.code).not.toMatch(/require\(["']node:/);
  });

  test("stays small", () => {
    expect(bundle.code.length).toBeLessThan(3_000_000);
  });
});

describe.each(versions)("histories of %s", (version) => {
  test("show every workflow that holds a fleet's state", () => {
    const kinds = filesOf(version).map((file) => file.replace(/(-\d+)?\.json$/, ""));
    expect(new Set(kinds)).toEqual(
      new Set(["fleet", "bootstrap-host", "bootstrap-host-released", "update-host", "retire-host"]),
    );
  });

  test("replay on the workflows of today", async () => {
    const histories = filesOf(version).map((file) => ({ workflowId: file, history: read(`${version}/${file}`) }));
    const failures: string[] = [];
    let replayed = 0;
    for await (const result of Worker.runReplayHistories({ workflowBundle: bundle }, histories)) {
      replayed += 1;
      if (result.error !== undefined) failures.push(`${result.workflowId}: ${result.error.message}`);
    }
    expect(failures).toEqual([]);
    expect(replayed).toBe(histories.length);
  });

  test("do not replay once two activities have changed places", async () => {
    const history = read(`${version}/bootstrap-host.json`);
    const activities = history.events.flatMap(({ activityTaskScheduledEventAttributes: scheduled }) => scheduled ?? []);
    const [first, second] = [activities[0]!.activityType, activities[1]!.activityType];
    [first.name, second.name] = [second.name, first.name];
    await expect(Worker.runReplayHistory({ workflowBundle: bundle }, history)).rejects.toThrow(/TMPRL1100/);
  });
});
