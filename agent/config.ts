import { join } from "node:path";

/** Points at which a drill ends the agent by SIGKILL, to prove that a retry succeeds from there. */
export type CrashPoint =
  | "after-fence"
  | "after-layout"
  | "after-rename"
  | "before-switch"
  | "after-switch"
  | "after-spawn";

export interface AgentConfig {
  /** Prefix of every path on the host: its root folder on a local host, empty on a real machine. */
  root: string;
  stateFolder: string;
  /** Address that workloads bind. */
  address: string;
  /** Address at which checks find workloads. */
  checkAddress: string;
  /** Port of the host's first application where the provider assigns one. */
  port: number | null;
  /** Environment that applications start from. */
  environment: Record<string, string>;
  crashAt: string;
}

const inherited = new Set(["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TMPDIR"]);
const ownSettings = "FOREWARM_AGENT_";

/** Reads the agent's environment; `stateFolder` overrides the default below `$FOREWARM_ROOT`. */
export function readAgentConfig(stateFolder: string | undefined): AgentConfig {
  const env = process.env;
  const root = env["FOREWARM_ROOT"] ?? "";
  const address = env["FOREWARM_ADDRESS"];
  const port = Number(env["FOREWARM_PORT"]);
  return {
    root,
    stateFolder: stateFolder ?? join(root, "/var/lib/forewarm"),
    address: address ?? "0.0.0.0",
    checkAddress: address ?? "127.0.0.1",
    port: Number.isInteger(port) && port > 0 ? port : null,
    environment: environmentToPassOn(env),
    crashAt: env["FOREWARM_AGENT_CRASH_AT"] ?? "",
  };
}

/** A provider recognises the processes of a host by what it put into their environment, so that is passed on. */
function environmentToPassOn(env: NodeJS.ProcessEnv): Record<string, string> {
  const passed: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    const isPassedOn = inherited.has(name) || (name.startsWith("FOREWARM_") && !name.startsWith(ownSettings));
    if (isPassedOn && value !== undefined) passed[name] = value;
  }
  return passed;
}
