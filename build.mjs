// Builds `dist/`: tsc for the program, one esbuild call for the on-node agent, one webpack call for the workflow bundle.
// `--if-stale` skips the work when no source file changed since the last build.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const sourceFolders = [
  "schema",
  "domain",
  "configuration",
  "models",
  "providers",
  "activities",
  "workflows",
  "worker",
  "client",
  "agent",
  "simulation",
  "embedded",
];
const rootFiles = ["build.mjs", "package-lock.json", "tsconfig.json", "tsconfig.build.json"];
const stampFile = "dist/.build-stamp";

function filesBelow(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

function sourceStamp() {
  const hash = createHash("sha256");
  for (const file of [...sourceFolders.flatMap(filesBelow), ...rootFiles].sort()) {
    if (existsSync(file)) hash.update(file).update("\0").update(readFileSync(file)).update("\0");
  }
  return hash.digest("hex");
}

function run(command, args) {
  const result = spawnSync(command, args, { stdio: "inherit" });
  if (result.status !== 0) process.exit(result.status ?? 1);
}

async function bundleAgent() {
  if (!existsSync("agent/main.ts")) return;
  const { build } = await import("esbuild");
  await build({
    entryPoints: ["agent/main.ts"],
    outfile: "dist/agent.mjs",
    bundle: true,
    platform: "node",
    target: "node20",
    format: "esm",
    minify: true,
    logLevel: "warning",
  });
}

async function bundleWorkflows() {
  if (!existsSync("dist/workflows/index.js")) return;
  const { bundleWorkflowCode } = await import("@temporalio/worker");
  const quiet = { trace() {}, debug() {}, info() {}, warn: console.warn, error: console.error, log() {} };
  const { code } = await bundleWorkflowCode({
    workflowsPath: join(process.cwd(), "dist/workflows/index.js"),
    logger: quiet,
  });
  writeFileSync("dist/workflow-bundle.js", code);
}

const stamp = sourceStamp();
const fresh = existsSync(stampFile) && readFileSync(stampFile, "utf8") === stamp;
if (!(process.argv.includes("--if-stale") && fresh)) {
  const started = Date.now();
  rmSync("dist", { recursive: true, force: true });
  mkdirSync("dist");
  run(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json"]);
  await Promise.all([bundleAgent(), bundleWorkflows()]);
  if (existsSync("dist/client/cli.js")) chmodSync("dist/client/cli.js", 0o755);
  writeFileSync(stampFile, stamp);
  console.error(`built dist/ in ${((Date.now() - started) / 1000).toFixed(1)} s`);
}
