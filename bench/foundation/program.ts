import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { readEmbeddedConfig, type Environment } from "../../embedded/config.ts";

const outputBytesMax = 16 * 1024 * 1024;

/** The package's root, where its commands are run. */
export const packageRoot = fileURLToPath(new URL("../..", import.meta.url));

/** How a command ended, and how many milliseconds it took. */
export interface Ended {
  exitCode: number;
  stdout: string;
  stderr: string;
  startedMs: number;
  durationMs: number;
}

/** A built program of the package, as users run it. Throws when the package was not built. */
export function builtProgram(name: string): string {
  const path = fileURLToPath(new URL(`../../dist/${name}`, import.meta.url));
  if (!existsSync(path)) throw new Error(`there is no dist/${name}; run npm run build first`);
  return path;
}

/** This process's environment without what would lead away from the embedded stack. */
export function plainEnvironment(more: Environment = {}): NodeJS.ProcessEnv {
  const { TEMPORAL_ADDRESS: _server, DATABASE_URL: _store, ...environment } = readEmbeddedConfig().environment;
  return { ...environment, ...more };
}

/** Runs a command to its end; a failure is an exit code, not an error. */
export function run(command: string, words: string[], environment = plainEnvironment()): Promise<Ended> {
  const startedMs = performance.now();
  const options = { cwd: packageRoot, env: environment, maxBuffer: outputBytesMax };
  return new Promise((resolve) => {
    const child = execFile(command, words, options, (_error, stdout, stderr) => {
      const durationMs = performance.now() - startedMs;
      resolve({ exitCode: child.exitCode ?? 1, stdout, stderr, startedMs, durationMs });
    });
  });
}

/** Runs the built command line. */
export function forewarm(words: string[], environment = plainEnvironment()): Promise<Ended> {
  return run(process.execPath, [builtProgram("client/cli.js"), ...words], environment);
}
