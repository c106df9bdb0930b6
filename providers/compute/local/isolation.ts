import { spawn } from "node:child_process";
import { existsSync, lstatSync, readdirSync, readlinkSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { ForewarmError } from "../../../domain/errors.ts";
import { completeRoot } from "./host-root.ts";

/** How hosts are kept apart: by namespaces, or not at all. Neither is a security boundary. */
export type IsolationMode = "bwrap" | "none";

/** What a process of a host is given. */
export interface HostSpace {
  machineId: string;
  hostId: string;
  /** Root folder of the host on this computer. */
  root: string;
  address: string;
  servicePort: number;
}

export interface HostCommand {
  file: string;
  args: string[];
  cwd: string;
  env: Record<string, string>;
}

/** Names in a host's root that belong to the computer and are shown to the host read-only. */
const systemFolders = ["usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32"];
const virtualFolders = ["proc", "dev", "sys"];

/** Files below /etc that programs of the computer need, taken from it where the image has none. */
const systemSettings = [
  "alternatives",
  "ca-certificates",
  "hosts",
  "ld.so.cache",
  "ld.so.conf",
  "ld.so.conf.d",
  "localtime",
  "nsswitch.conf",
  "pki",
  "protocols",
  "resolv.conf",
  "services",
  "ssl",
];

/** The first process of a host does nothing, and does not take part in an orderly stop. */
const idle = 'trap "" TERM INT HUP; exec sleep 2147483647';

/** bwrap tells the pid inside before the walls stand; that the first process speaks means that they do. */
export const infoDescriptor = 3;
export const upDescriptor = 4;
const announceUp = `echo up >&${upDescriptor}; exec ${upDescriptor}>&-;`;

/** In the environment of a host's first processes alone. */
export const initMarker = "FOREWARM_INIT=1";

/** Found in the environment of every process of a host, and nowhere else. */
export function hostMarker(machineId: string): string {
  return `FOREWARM_MACHINE_ID=${machineId}`;
}

/** Environment of a host's processes. FOREWARM_ROOT is empty where / is the host's own. */
export function hostEnvironment(mode: IsolationMode, space: HostSpace): Record<string, string> {
  const root = mode === "bwrap" ? "" : space.root;
  return {
    PATH: `${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin`,
    HOME: `${root}/home/forewarm`,
    USER: "forewarm",
    LOGNAME: "forewarm",
    SHELL: "/bin/sh",
    LANG: "C.UTF-8",
    TMPDIR: `${root}/tmp`,
    FOREWARM_ROOT: root,
    FOREWARM_HOST_ID: space.hostId,
    FOREWARM_MACHINE_ID: space.machineId,
    FOREWARM_ADDRESS: space.address,
    FOREWARM_PORT: String(space.servicePort),
  };
}

function systemBinds(): string[] {
  return systemFolders.flatMap((name) => {
    const path = `/${name}`;
    if (!existsSync(path)) return [];
    return lstatSync(path).isSymbolicLink() ? ["--symlink", readlinkSync(path), path] : ["--ro-bind", path, path];
  });
}

function hostBinds(root: string): string[] {
  const system = new Set([...systemFolders, ...virtualFolders]);
  const own = readdirSync(root).filter((name) => !system.has(name));
  return own.flatMap((name) => ["--bind", join(root, name), `/${name}`]);
}

function settingBinds(root: string): string[] {
  const missing = systemSettings.filter((name) => existsSync(join("/etc", name)) && isVacant(join(root, "etc", name)));
  return missing.flatMap((name) => ["--ro-bind", join("/etc", name), join("/etc", name)]);
}

/** True for what is absent, or is the empty mount point that an earlier boot has left. */
function isVacant(path: string): boolean {
  if (!existsSync(path)) return true;
  const found = lstatSync(path);
  return found.isDirectory() ? readdirSync(path).length === 0 : found.size === 0;
}

/** The running Node, where it lies outside the system folders. */
function nodeBinds(): string[] {
  const prefix = dirname(dirname(process.execPath));
  return prefix.startsWith("/usr") || prefix === "/" ? [] : ["--ro-bind", prefix, prefix];
}

const unshare = ["--unshare-user", "--unshare-pid", "--unshare-uts", "--unshare-ipc", "--uid", "0", "--gid", "0"];
const virtual = ["--proc", "/proc", "--dev", "/dev", "--ro-bind-try", "/sys", "/sys", "--chdir", "/"];

/** The walls of a host; network and kernel are shared. */
function wallArgs({ root, hostId }: HostSpace): string[] {
  const folders = [...systemBinds(), ...virtual, ...hostBinds(root), ...settingBinds(root), ...nodeBinds()];
  return [...unshare, "--hostname", hostId, ...folders];
}

/** The command whose process is the host's first; in bwrap mode it tells its pid and its start on two descriptors. */
export function initCommand(mode: IsolationMode, space: HostSpace): HostCommand {
  const env = { ...hostEnvironment(mode, space), FOREWARM_INIT: "1" };
  if (mode === "none") return { file: "/bin/sh", args: ["-c", idle], cwd: space.root, env };
  const args = [...wallArgs(space), "--info-fd", String(infoDescriptor), "--", "/bin/sh", "-c", announceUp + idle];
  return { file: "bwrap", args, cwd: "/", env };
}

/** A shell command inside a running host, in the login user's home. */
export function shellCommand(
  mode: IsolationMode,
  space: HostSpace,
  start: { initPid: number; command: string },
): HostCommand {
  const env = hostEnvironment(mode, space);
  if (mode === "none") return { file: "/bin/sh", args: ["-c", start.command], cwd: env["HOME"] ?? space.root, env };
  const enter = ["-t", String(start.initPid), "-U", "-m", "-p", "-u", "-i", "--preserve-credentials", "--"];
  const inHome = ["/bin/sh", "-c", 'cd "$HOME" || cd /; exec /bin/sh -c "$0"', start.command];
  return { file: "nsenter", args: [...enter, ...inHome], cwd: "/", env };
}

function exitCode(command: HostCommand): Promise<number> {
  return new Promise((resolve) => {
    const child = spawn(command.file, command.args, { cwd: command.cwd, env: command.env, stdio: "ignore" });
    child.once("error", () => resolve(127));
    child.once("exit", (code) => resolve(code ?? 1));
  });
}

/** Tries the very namespaces a host gets; false where they are missing or forbidden. */
async function bwrapWorks(): Promise<boolean> {
  if (process.platform !== "linux") return false;
  const root = await mkdtemp(join(tmpdir(), "forewarm-probe-"));
  try {
    await completeRoot(root);
    const space = { machineId: "probe", hostId: "probe", root, address: "127.0.0.1", servicePort: 1 };
    const env = hostEnvironment("bwrap", space);
    const walls = await exitCode({ file: "bwrap", args: [...wallArgs(space), "--", "true"], cwd: "/", env });
    const door = await exitCode({ file: "nsenter", args: ["--version"], cwd: "/", env });
    return walls === 0 && door === 0;
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

/** The mode to use; throws USAGE when bwrap was asked for by name and does not work here. */
export async function chooseIsolation(wanted: "auto" | IsolationMode): Promise<IsolationMode> {
  if (wanted === "none") return "none";
  if (await bwrapWorks()) return "bwrap";
  if (wanted === "auto") return "none";
  const cure = "Install bubblewrap and allow user namespaces, or use isolation `none`.";
  throw new ForewarmError("USAGE", "isolation bwrap was asked for, but bwrap cannot make namespaces here", { cure });
}

/** What people should know about a mode before they trust it. */
export function isolationWarnings(mode: IsolationMode): string[] {
  if (mode === "bwrap") return [];
  const asRoot = process.getuid?.() === 0;
  return [
    "isolation none: hosts are plain processes of this computer; nothing keeps them from its files",
    ...(asRoot ? ["the rack runs as root: commands on hosts can change anything on this computer"] : []),
  ];
}
