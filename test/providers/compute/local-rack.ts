import { spawn, spawnSync } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { mkdtemp, mkdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import type { Machine } from "../../../providers/compute/compute-provider.ts";
import { serveControl } from "../../../providers/compute/local/control-api.ts";
import { newHostKey, parsePublicKey } from "../../../providers/compute/local/host-key.ts";
import { createLocalComputeProvider } from "../../../providers/compute/local/local-compute-provider.ts";
import { rackFaults } from "../../../providers/compute/local/rack-faults.ts";
import { startRack } from "../../../providers/compute/local/start-rack.ts";

export const loginKey = newHostKey();
export const authorizedKey = `ssh-ed25519 ${parsePublicKey(loginKey).getPublicSSH().toString("base64")}`;

const bwrap = "bwrap";

/** Whether this computer lets bubblewrap make namespaces; found out apart from the code under test. */
export const hasBwrap = spawnSync(bwrap, ["--unshare-user", "--ro-bind", "/", "/", "true"]).status === 0;

export interface RackSettings {
  isolation: "none" | "bwrap";
  addresses: "loopback-range" | "single";
}

/** Polls a fact until it holds; fails after `deadlineMs`. */
export async function until(what: string, holds: () => Promise<boolean> | boolean, deadlineMs = 10_000): Promise<void> {
  const end = performance.now() + deadlineMs;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function makeFolders(homeName = "home") {
  const folder = await mkdtemp(join(tmpdir(), "rack-"));
  const image = join(folder, "image");
  await mkdir(join(image, "opt/app"), { recursive: true });
  await writeFile(join(image, "opt/app/greeting.txt"), "good morning\n");
  await writeFile(join(image, "opt/app/run.sh"), "#!/bin/sh\necho run\n", { mode: 0o755 });
  return { folder, image, home: join(folder, homeName), socketPath: join(folder, "rack.sock") };
}

function access(folders: Awaited<ReturnType<typeof makeFolders>>) {
  const provider = createLocalComputeProvider({ socketPath: folders.socketPath });
  const faults = rackFaults(folders.socketPath);
  const state = async (machineId: string) => (await provider.describe({ machineIds: [machineId] }))[0]?.state;
  const launch = (requestId: string, count = 1, servicePort?: number) =>
    provider.launch({
      requestId,
      fleet: "web",
      image: folders.image,
      hosts: Array.from({ length: count }, (_, ordinal) => ({ hostId: `${requestId}-${ordinal}`, ordinal, zone: "a" })),
      authorizedKey,
      ...(servicePort === undefined ? {} : { servicePort }),
    });
  const launchRunning = async (requestId: string, count = 1): Promise<Machine[]> => {
    const machines = await launch(requestId, count);
    for (const { machineId } of machines)
      await until(`${machineId} runs`, async () => (await state(machineId)) === "running");
    return machines;
  };
  const terminateAll = async () => provider.terminate((await provider.describe({})).map(({ machineId }) => machineId));
  return { ...folders, provider, faults, state, launch, launchRunning, terminateAll };
}

export type RackAccess = ReturnType<typeof access>;

export type OpenRack = RackAccess & { end(): Promise<void> };

/** A rack within this process, with its own state folder. */
export async function openRack(settings: RackSettings, homeName?: string): Promise<OpenRack> {
  const folders = await makeFolders(homeName);
  const config = { ...settings, ...folders, seed: "test", zones: ["a", "b"], hostsPerZone: 500, logLevel: "silent" };
  const log = pino({ level: "silent" });
  const started = await startRack(config, log);
  const endControl = await serveControl(started.rack, folders.socketPath, log);
  const rack = access(folders);
  await rack.faults({ kind: "boot-delay", p50Seconds: 0.01, p90Seconds: 0.02 });
  const end = async () => {
    await rack.terminateAll();
    await endControl();
    await started.close();
    await rm(folders.folder, { recursive: true, force: true });
  };
  return { ...rack, end };
}

export interface RackProcess extends RackAccess {
  ready: { pid: number; adopted: number; isolation: string; warnings: string[] };
  /** Ends the rack alone and waits for it; hosts stay. */
  kill(signal: NodeJS.Signals): Promise<number | null>;
  restart(): Promise<void>;
  /** Ends hosts, rack and folders. */
  end(): Promise<void>;
}

const entry = new URL("../../../providers/compute/local/main.ts", import.meta.url).pathname;

async function readReadyLine(child: ChildProcess): Promise<RackProcess["ready"]> {
  let text = "";
  let complaint = "";
  child.stdout!.on("data", (chunk: Buffer) => (text += chunk.toString()));
  child.stderr!.on("data", (chunk: Buffer) => (complaint += chunk.toString()));
  await until("the rack is ready", () => text.includes("\n") || child.exitCode !== null);
  if (!text.includes("\n")) throw new Error(complaint);
  return JSON.parse(text);
}

/** A rack as its own process, as it runs in production. */
export async function spawnRack(settings: RackSettings): Promise<RackProcess> {
  const folders = await makeFolders();
  const env = {
    ...process.env,
    FOREWARM_RACK_HOME: folders.home,
    FOREWARM_RACK_SOCKET: folders.socketPath,
    FOREWARM_RACK_ADDRESSES: settings.addresses,
    FOREWARM_RACK_ISOLATION: settings.isolation,
  };
  let child!: ChildProcess;
  const rack = access(folders);
  const start = async () => {
    const next = spawn(process.execPath, ["--import", "tsx", entry], { env, stdio: ["ignore", "pipe", "pipe"] });
    running.ready = await readReadyLine(next);
    child = next;
  };
  const kill = async (signal: NodeJS.Signals) => {
    const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
    child.kill(signal);
    return ended;
  };
  const end = async () => {
    if (child.exitCode !== null || child.signalCode !== null) await start();
    await rack.terminateAll();
    await kill("SIGTERM");
    await rm(folders.folder, { recursive: true, force: true });
  };
  const running: RackProcess = {
    ...rack,
    ready: { pid: 0, adopted: 0, isolation: "", warnings: [] },
    kill,
    restart: start,
    end,
  };
  await start();
  await rack.faults({ kind: "boot-delay", p50Seconds: 0.01, p90Seconds: 0.02 });
  return running;
}
