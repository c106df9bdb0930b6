import { chmodSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { ForewarmError } from "../domain/errors.ts";
import { limits } from "../domain/limits.ts";

/** Where everything of one embedded stack lies. */
export interface HomePaths {
  home: string;
  lock: string;
  state: string;
  ports: string;
  logs: string;
  temporalDatabase: string;
  rack: string;
  /** A file; its folder is made with the home. */
  loadBalancerState: string;
  store: string;
  keys: string;
}

export interface SocketPaths {
  rack: string;
  loadBalancer: string;
}

const socketNames = { rack: "rack.sock", loadBalancer: "load-balancer.sock" } as const;

/** The paths of a home; creates nothing. */
export function homePaths(home: string): HomePaths {
  return {
    home,
    lock: join(home, "run", "lock"),
    state: join(home, "run", "stack.json"),
    ports: join(home, "ports.json"),
    logs: join(home, "logs"),
    temporalDatabase: join(home, "temporal.db"),
    rack: join(home, "rack"),
    loadBalancerState: join(home, "load-balancer", "state.json"),
    store: join(home, "store"),
    keys: join(home, "keys"),
  };
}

/** Creates the folders of a home, readable by its owner only. Throws USAGE or DISK_FULL when that cannot be done. */
export function createHome(home: string): HomePaths {
  const paths = homePaths(home);
  const { lock, logs, rack, loadBalancerState, keys } = paths;
  try {
    for (const folder of [home, dirname(lock), logs, rack, dirname(loadBalancerState), keys]) {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
    }
  } catch (cause) {
    throw homeFailure(home, cause);
  }
  return paths;
}

function homeFailure(home: string, cause: unknown): ForewarmError {
  const code = cause instanceof Error && "code" in cause && cause.code === "ENOSPC" ? "DISK_FULL" : "USAGE";
  const cure = code === "USAGE" ? { cure: "Make the folder writable, or choose another FOREWARM_HOME." } : {};
  return new ForewarmError(code, `the home ${home} cannot be created`, { cause, ...cure });
}

/**
 * Paths for the Unix sockets of a home. Below the home where they fit into a socket address, else in a folder under
 * the system's temporary folder, recorded in the home so that a restart uses it again.
 * Throws USAGE when even those are too long.
 */
export function chooseSockets(home: string): SocketPaths {
  const near = socketsIn(join(home, "run"));
  if (fits(near)) return near;
  const far = socketsIn(recordedFolder(home) ?? newFolder(home));
  if (fits(far)) return far;
  throw new ForewarmError(
    "USAGE",
    `socket path ${far.loadBalancer} is longer than ${limits.socketPathBytesMax} bytes`,
    {
      cure: "Set TMPDIR or FOREWARM_HOME to a shorter path.",
    },
  );
}

/** Removes the sockets and the short folder that `chooseSockets` made, if it made one. */
export function removeSockets(home: string, sockets: SocketPaths): void {
  for (const socket of Object.values(sockets)) rmSync(socket, { force: true });
  const folder = dirname(sockets.rack);
  if (folder === join(home, "run")) return;
  rmSync(folder, { recursive: true, force: true });
  rmSync(recordOf(home), { force: true });
}

function socketsIn(folder: string): SocketPaths {
  return { rack: join(folder, socketNames.rack), loadBalancer: join(folder, socketNames.loadBalancer) };
}

function fits(sockets: SocketPaths): boolean {
  return Object.values(sockets).every((path) => Buffer.byteLength(path) <= limits.socketPathBytesMax);
}

function recordOf(home: string): string {
  return join(home, "run", "socket-folder");
}

function recordedFolder(home: string): string | null {
  const record = recordOf(home);
  if (!existsSync(record)) return null;
  const folder = readFileSync(record, "utf8").trim();
  return isOurs(folder) ? folder : null;
}

// The temporary folder is everybody's: a folder that another user put there under the recorded name is not taken.
function isOurs(folder: string): boolean {
  const entry = lstatSync(folder, { throwIfNoEntry: false });
  return entry !== undefined && entry.isDirectory() && entry.uid === process.getuid?.() && (entry.mode & 0o077) === 0;
}

function newFolder(home: string): string {
  const folder = mkdtempSync(join(tmpdir(), "forewarm-"));
  chmodSync(folder, 0o700);
  writeFileSync(recordOf(home), folder);
  return folder;
}
