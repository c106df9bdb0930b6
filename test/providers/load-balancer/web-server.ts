import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Backend } from "../../../providers/load-balancer/load-balancer.ts";

const program = fileURLToPath(new URL("../../../examples/images/web/opt/app/server.mjs", import.meta.url));

/** The example workload as a real process. */
export interface WebServer {
  child: ChildProcess;
  port: number;
  url: string;
  startedInMs: number;
  /** Lines of its standard output and error. */
  log: string[];
  configure(settings: Record<string, unknown>): Promise<void>;
  end(signal: NodeJS.Signals): Promise<number | null>;
  as(change?: Partial<Backend>): Backend;
}

/** Starts the example web server over `folder`, which takes its web.json. */
export async function startWebServer(
  folder: string,
  { hostId, port, settings }: { hostId: string; port: number; settings: Record<string, unknown> },
): Promise<WebServer> {
  const configure = (next: Record<string, unknown>): Promise<void> =>
    writeFile(`${folder}/web.json`, JSON.stringify(next));
  await configure(settings);
  const startedMs = performance.now();
  const child = spawn(process.execPath, [program], {
    env: {
      ...process.env,
      FOREWARM_ADDRESS: "127.0.0.1",
      FOREWARM_PORT: String(port),
      FOREWARM_CONFIGURATION: folder,
      FOREWARM_HOST_ID: hostId,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const exited = once(child, "exit");
  const log: string[] = [];
  createInterface(child.stderr).on("line", (line) => log.push(line));
  const output = createInterface(child.stdout).on("line", (line) => log.push(line));
  await Promise.race([once(output, "line"), exited]);
  if (child.exitCode !== null) throw new Error(`the web server ended: ${log.join("\n")}`);
  return {
    child,
    port,
    url: `http://127.0.0.1:${port}`,
    startedInMs: performance.now() - startedMs,
    log,
    configure,
    async end(signal) {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
      return (await exited)[0];
    },
    as: (change) => ({ hostId, address: "127.0.0.1", port, weight: 1, epoch: 1, draining: false, ...change }),
  };
}
