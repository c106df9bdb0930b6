import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const entry = fileURLToPath(new URL("../../../providers/load-balancer/local/main.ts", import.meta.url));

export interface BalancerProcess {
  child: ChildProcess;
  ready: { pid: number; endpoints: Record<string, string> };
  /** Ends it at once, as a crash would. */
  kill(): Promise<void>;
  /** Asks it to end; its exit code. */
  terminate(): Promise<number | null>;
}

/** Starts the local load balancer as a process of its own. Throws with its error output when it ends before it is ready. */
export async function startBalancerProcess(folder: string): Promise<BalancerProcess> {
  const child = spawn(process.execPath, ["--import", "tsx", entry], {
    env: { ...process.env, FOREWARM_LB_SOCKET: `${folder}/lb.sock`, FOREWARM_LB_STATE: `${folder}/lb.json` },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const exited = once(child, "exit");
  let errors = "";
  child.stderr.on("data", (chunk) => (errors += String(chunk)));
  const firstLine = once(createInterface(child.stdout), "line");
  const line = await Promise.race([firstLine, exited.then(() => null)]);
  if (line === null) throw new Error(`exit ${child.exitCode}: ${errors}`);
  return {
    child,
    ready: JSON.parse(line[0]),
    async kill() {
      child.kill("SIGKILL");
      await exited;
    },
    async terminate() {
      child.kill("SIGTERM");
      return (await exited)[0];
    },
  };
}
