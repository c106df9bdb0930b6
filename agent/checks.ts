import { spawn } from "node:child_process";
import { connect } from "node:net";
import { ForewarmError } from "../domain/errors.ts";
import { limits } from "../domain/limits.ts";
import type { CheckEvidence } from "../schema/agent-protocol.ts";
import type { Check } from "../schema/fleet-template.ts";
import type { Applications } from "./applications.ts";
import type { AgentConfig } from "./config.ts";
import type { Generations } from "./generations.ts";
import { signalGroup } from "./process-identity.ts";

const probeTimeoutMs = 5000;
const evidenceCharsMax = 2000;

export interface CheckDeps {
  config: AgentConfig;
  applications: Applications;
  generations: Generations;
}

interface Finding {
  passed: boolean;
  detail: string;
}

type CheckRunners = {
  [Kind in Check["kind"]]: (deps: CheckDeps, check: Extract<Check, { kind: Kind }>) => Promise<Finding>;
};

const runners: CheckRunners = {
  process: checkProcess,
  tcp: checkTcp,
  http: checkHttp,
  command: checkCommand,
  digest: checkDigest,
};

/** Runs every check and keeps the evidence of each, passed or not. */
export async function verifyHost(
  deps: CheckDeps,
  checks: readonly Check[],
): Promise<{ passed: boolean; evidence: CheckEvidence[] }> {
  const evidence = await Promise.all(checks.map((check) => gather(deps, check)));
  return { passed: evidence.every((each) => each.passed), evidence };
}

async function gather(deps: CheckDeps, check: Check): Promise<CheckEvidence> {
  const startedMs = performance.now();
  const finding = await runCheck(deps, check).catch((error: unknown) => ({ passed: false, detail: String(error) }));
  const detail = finding.detail.slice(-evidenceCharsMax);
  return { check, passed: finding.passed, detail, durationMs: performance.now() - startedMs };
}

function runCheck<Kind extends Check["kind"]>(
  deps: CheckDeps,
  check: Extract<Check, { kind: Kind }>,
): Promise<Finding> {
  const runner: CheckRunners[Kind] = runners[check.kind];
  return runner(deps, check);
}

async function checkProcess({ applications }: CheckDeps, check: { application: string }): Promise<Finding> {
  const found = applications.status().find((one) => one.name === check.application);
  if (found === undefined) return { passed: false, detail: `${check.application} was never started` };
  const detail = `pid ${found.pid ?? "none"}, ${found.restarts} restarts`;
  return { passed: found.pid !== null, detail };
}

function checkTcp({ applications, config }: CheckDeps, check: { port: number }): Promise<Finding> {
  const port = applications.portOf(check.port);
  const place = `${config.checkAddress}:${port}`;
  return new Promise((resolve) => {
    const socket = connect({ host: config.checkAddress, port, timeout: probeTimeoutMs });
    const finish = (passed: boolean, detail: string) => {
      socket.destroy();
      resolve({ passed, detail });
    };
    socket.once("connect", () => finish(true, `${place} accepts connections`));
    socket.once("timeout", () => finish(false, `${place}: no answer within ${probeTimeoutMs} ms`));
    socket.once("error", (error) => finish(false, `${place}: ${error.message}`));
  });
}

async function checkHttp(
  { applications, config }: CheckDeps,
  check: Extract<Check, { kind: "http" }>,
): Promise<Finding> {
  const url = `http://${config.checkAddress}:${applications.portOf(check.port)}${check.path}`;
  const { status, body } = await httpGet(url);
  const bodyFits = check.body_match === undefined || new RegExp(check.body_match).test(body);
  const passed = status === check.status && bodyFits;
  const excerpt = JSON.stringify(body.slice(0, 300));
  const expected = passed ? "" : `, expected ${check.status}${bodyFits ? "" : ` and a body like ${check.body_match}`}`;
  return { passed, detail: `GET ${url}: ${status} ${excerpt}${expected}` };
}

async function httpGet(url: string): Promise<{ status: number; body: string }> {
  // Loaded at the first check: it would double the time the agent takes to start.
  const { get } = await import("node:http");
  return new Promise((resolve, reject) => {
    const request = get(url, { agent: false, timeout: probeTimeoutMs }, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        if (body.length < limits.commandOutputBytesMax) body += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
      response.on("error", reject);
    });
    const late = new ForewarmError("COMMAND_TIMED_OUT", `GET ${url}: no answer within ${probeTimeoutMs} ms`);
    request.once("timeout", () => request.destroy(late));
    request.once("error", (error) =>
      reject(error.message.includes(url) ? error : new Error(`GET ${url}: ${error.message}`)),
    );
  });
}

function checkCommand({ config }: CheckDeps, check: Extract<Check, { kind: "command" }>): Promise<Finding> {
  return new Promise((resolve, reject) => {
    const child = spawn("sh", ["-c", check.command], {
      cwd: config.root || "/",
      env: config.environment,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    const keep = (chunk: Buffer) => {
      output = `${output}${chunk.toString("utf8")}`.slice(-evidenceCharsMax);
    };
    let late = "";
    const timer = setTimeout(() => {
      late = `no end within ${check.timeout_seconds} s. `;
      if (child.pid !== undefined) signalGroup(child.pid, "SIGKILL");
    }, check.timeout_seconds * 1000);
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    child.once("error", reject);
    child.once("close", (code, signal) => {
      clearTimeout(timer);
      resolve({ passed: code === 0, detail: `${late}exit ${code ?? signal ?? "unknown"}: ${output}` });
    });
  });
}

async function checkDigest({ generations }: CheckDeps): Promise<Finding> {
  const installed = await generations.inForce();
  if (installed === null) return { passed: false, detail: "nothing is installed" };
  const live = await generations.live();
  const passed = live.digest === installed.digest;
  const detail = passed ? `holds ${live.digest}` : `holds ${live.digest}, installed is ${installed.digest}`;
  return { passed, detail: `epoch ${live.epoch}: ${detail}` };
}
