import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Check } from "../../schema/fleet-template.ts";
import {
  type AgentClient,
  type AgentHost,
  applicationOf,
  bundleAgent,
  freePort,
  installFiles,
  makeAgentHost,
  until,
} from "./agent-fixture.ts";

let host: AgentHost;
let client: AgentClient;
const templatePort = 8080;

const server = `
const { createServer } = require("node:http");
createServer((request, response) => {
  response.statusCode = request.url === "/ready" ? 200 : 503;
  response.end("version=7 " + request.url);
}).listen(process.env.FOREWARM_PORT, process.env.FOREWARM_ADDRESS);`;

beforeAll(async () => {
  host = makeAgentHost(await bundleAgent());
  await host.start({ FOREWARM_PORT: String(await freePort()) });
  client = await host.open();
  await installFiles(client, host.key, { fence: 1, epoch: 1, files: { "a.conf": "1" } });
  const web = applicationOf("web", "", { command: [process.execPath, "-e", server], port: templatePort });
  await client.call({ op: "start", fence: 1, applications: [web] });
  const listens = async () => (await verify({ kind: "tcp", port: templatePort })).passed;
  await until(listens, "the application listens");
});
afterAll(() => host.dispose());

const verify = async (check: Check) => {
  const { passed, evidence } = await client.call({ op: "verify", checks: [check] });
  expect(evidence[0]).toMatchObject({ check, passed });
  expect(evidence[0]?.durationMs).toBeGreaterThan(0);
  return { passed, detail: evidence[0]!.detail };
};

describe("checks", () => {
  it.each<[string, Check, { passed: boolean; detail: RegExp }]>([
    ["a running process", { kind: "process", application: "web" }, { passed: true, detail: /pid \d+, 0 restarts/ }],
    [
      "a process that was never started",
      { kind: "process", application: "db" },
      { passed: false, detail: /never started/ },
    ],
    ["an open port", { kind: "tcp", port: templatePort }, { passed: true, detail: /accepts/ }],
    ["a closed port", { kind: "tcp", port: 1 }, { passed: false, detail: /ECONNREFUSED/ }],
    [
      "an answer of the right status and body",
      { kind: "http", port: templatePort, path: "/ready", status: 200, body_match: "version=\\d+" },
      { passed: true, detail: /200 "version=7/ },
    ],
    [
      "another status",
      { kind: "http", port: templatePort, path: "/not", status: 200 },
      { passed: false, detail: /503 "version=7 \/not", expected 200/ },
    ],
    [
      "another body",
      { kind: "http", port: templatePort, path: "/ready", status: 200, body_match: "version=8" },
      { passed: false, detail: /expected 200 and a body like version=8/ },
    ],
    ["no server", { kind: "http", port: 1, path: "/", status: 200 }, { passed: false, detail: /ECONNREFUSED/ }],
    [
      "a command that succeeds",
      { kind: "command", command: "echo all well", timeout_seconds: 5 },
      { passed: true, detail: /exit 0: all well/ },
    ],
    [
      "a command that fails",
      { kind: "command", command: "echo no >&2; exit 4", timeout_seconds: 5 },
      { passed: false, detail: /exit 4: no/ },
    ],
    [
      "a command that hangs",
      { kind: "command", command: "echo half; sleep 60", timeout_seconds: 0.3 },
      { passed: false, detail: /no end.*half/s },
    ],
    ["an intact configuration", { kind: "digest" }, { passed: true, detail: /epoch 1: holds [0-9a-f]{64}$/ }],
  ])("%s", async (_what, check, expected) => {
    const found = await verify(check);
    expect(found.detail).toMatch(expected.detail);
    expect(found.passed).toBe(expected.passed);
  });

  it("run all of them, and pass only together", async () => {
    const checks: Check[] = [{ kind: "tcp", port: 1 }, { kind: "digest" }];
    const verdict = await client.call({ op: "verify", checks });
    expect(verdict.passed).toBe(false);
    expect(verdict.evidence.map((each) => each.passed)).toEqual([false, true]);
  });
});
