import { readlinkSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import type { CrashPoint } from "../../agent/config.ts";
import { identifyProcess } from "../../agent/process-identity.ts";
import {
  type AgentHost,
  applicationOf,
  bundleAgent,
  installFiles,
  makeAgentHost,
  manifestOf,
  readHostFile,
  until,
} from "./agent-fixture.ts";

let bundle: string;
let host: AgentHost;

beforeAll(async () => {
  bundle = await bundleAgent();
});
afterEach(() => host.dispose());

const before = { "app.json": `{"a":1}`, "same.conf": "x" };
const after = { "app.json": `{"a":2}`, "same.conf": "x" };
const liveFile = "var/lib/forewarm/current/app.json";

/** Old content stays in force until the rename of the link. */
const points: [CrashPoint, 1 | 2][] = [
  ["after-fence", 1],
  ["after-layout", 1],
  ["after-rename", 1],
  ["before-switch", 1],
  ["after-switch", 2],
];

describe("an install cut by a crash", () => {
  it.each(points)("%s leaves generation %i in force, and the same request succeeds", async (point, inForce) => {
    host = makeAgentHost(bundle);
    await host.start();
    await installFiles(await host.open(), host.key, { fence: 1, epoch: 1, files: before });
    await host.kill();

    await host.start({ FOREWARM_AGENT_CRASH_AT: point });
    const crashing = await host.open();
    await crashing.send(after["app.json"]);
    const request = { op: "install", fence: 2, signed: host.key.sign(manifestOf(2, after)) } as const;
    await expect(crashing.call(request)).rejects.toThrow("closed the channel");
    expect(readlinkSync(join(host.state, "current"))).toBe(`generations/${inForce}`);
    expect(readHostFile(host, liveFile)).toBe(inForce === 1 ? before["app.json"] : after["app.json"]);

    await host.start();
    const client = await host.open();
    const verdict = await client.call({ op: "verify", checks: [{ kind: "digest" }] });
    expect(verdict).toMatchObject({ passed: true });
    const result = await client.call(request);
    expect(result).toMatchObject({ epoch: 2, changed: inForce === 1, hooks: ["reload"] });
    expect(readHostFile(host, liveFile)).toBe(after["app.json"]);
    expect(await client.call({ op: "digest" })).toEqual({ epoch: 2, digest: result.digest });
  });

  it("between starting a process and writing its pid down leaves one process, not two", async () => {
    host = makeAgentHost(bundle);
    await host.start({ FOREWARM_AGENT_CRASH_AT: "after-spawn" });
    const crashing = await host.open();
    const application = applicationOf("web", "echo $$ >> started; exec sleep 600");
    const request = { op: "start" as const, fence: 1, applications: [application] };
    await expect(crashing.call(request)).rejects.toThrow("closed the channel");
    const pid = await until(() => Number(readIfThere("opt/app/started")) || false, "the process started");

    await host.start();
    const client = await host.open();
    expect(await client.call(request)).toEqual({ applications: [{ name: "web", pid }] });
    expect(readIfThere("opt/app/started")?.trim().split("\n")).toEqual([String(pid)]);
    expect(identifyProcess(pid)).not.toBeNull();
  });
});

function readIfThere(path: string): string | undefined {
  try {
    return readHostFile(host, path);
  } catch {
    return undefined;
  }
}
