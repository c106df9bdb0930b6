import { type ChildProcess, spawn } from "node:child_process";
import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { build } from "esbuild";
import { identifyProcess } from "../../agent/process-identity.ts";
import { signManifest } from "../../configuration/sign-manifest.ts";
import type { AgentApplication, AgentNotice, AgentRequest, AgentResponseOf } from "../../schema/agent-protocol.ts";
import type { GoldenManifest, SignedManifest } from "../../schema/golden-manifest.ts";

const bundleFolder = join(import.meta.dirname, "../../node_modules/.cache/forewarm-test");

/** Bundles the agent as the build does; runs of tests at the same time replace the file with an equal one. */
export async function bundleAgent(): Promise<string> {
  const bundle = join(bundleFolder, "agent.mjs");
  const outfile = `${bundle}.${process.pid}`;
  await build({
    entryPoints: [join(import.meta.dirname, "../../agent/main.ts")],
    outfile,
    bundle: true,
    platform: "node",
    target: "node20",
    format: "esm",
    minify: true,
    logLevel: "warning",
  });
  renameSync(outfile, bundle);
  return bundle;
}

export interface SigningKey {
  /** Base64 of the raw public key. */
  publicKey: string;
  sign(manifest: GoldenManifest): SignedManifest;
}

export function makeSigningKey(): SigningKey {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const raw = rawPublicKey(publicKey);
  const keyId = createHash("sha256").update(raw).digest("hex");
  const signText = (text: string) => sign(null, Buffer.from(text), privateKey).toString("base64");
  return {
    publicKey: raw.toString("base64"),
    sign: (manifest) => signManifest(manifest, { keyId, sign: signText }),
  };
}

function rawPublicKey(key: KeyObject): Buffer {
  return Buffer.from(key.export({ format: "jwk" }).x!, "base64url");
}

export const fleet = "shop";
const farFutureMs = 4_000_000_000_000;

export function sha256(content: string | Buffer): string {
  return createHash("sha256").update(content).digest("hex");
}

/** A manifest of text files; a path ending in `.restart` asks for a restart, others for a reload. */
export function manifestOf(epoch: number, files: Record<string, string>): GoldenManifest {
  return {
    version: 1,
    fleet,
    epoch,
    expiresAtMs: farFutureMs,
    files: Object.entries(files).map(([path, content]) => ({
      path,
      sha256: sha256(content),
      bytes: Buffer.byteLength(content),
      mode: "0644",
      owner: null,
      hook: path.endsWith(".restart") ? "restart" : "reload",
    })),
  };
}

/** One host as an agent sees it: a root folder with a state folder below. */
export interface AgentHost {
  bundle: string;
  root: string;
  state: string;
  key: SigningKey;
  /** The pid of the agent that holds the state folder. */
  lockedBy(): number | null;
  daemon: ChildProcess | undefined;
  /** Starts the real bundle and waits until it listens. */
  start(environment?: Record<string, string>): Promise<void>;
  /** Ends the agent alone by SIGKILL. */
  kill(): Promise<void>;
  open(): Promise<AgentClient>;
  /** Ends the agent and everything it started. */
  dispose(): Promise<void>;
}

export function makeAgentHost(bundle: string, key = makeSigningKey()): AgentHost {
  const root = mkdtempSync(join(tmpdir(), "fw-host-"));
  const state = join(root, "var/lib/forewarm");
  mkdirSync(state, { recursive: true });
  mkdirSync(join(root, "opt/app"), { recursive: true });
  const settings = { fleet, signingKeys: [key.publicKey], hooks: ["reload", "restart"] };
  writeFileSync(join(state, "agent.json"), JSON.stringify(settings));
  const clients: AgentClient[] = [];

  const host: AgentHost = {
    bundle,
    root,
    state,
    key,
    daemon: undefined,
    lockedBy: () => readLock(state),
    async start(environment = {}) {
      const child = spawn(process.execPath, [bundle, "daemon"], {
        env: { PATH: process.env["PATH"], FOREWARM_ROOT: root, FOREWARM_ADDRESS: "127.0.0.1", ...environment },
        stdio: ["ignore", "ignore", "inherit"],
      });
      host.daemon = child;
      await until(async () => (await tryConnect(join(state, "agent.sock"))) ?? false, "the agent listens");
    },
    async kill() {
      const child = host.daemon;
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
      const exited = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await exited;
    },
    async open() {
      const client = createAgentClient(connect(join(state, "agent.sock")));
      clients.push(client);
      return client;
    },
    async dispose() {
      for (const client of clients) client.close();
      await host.kill();
      const other = host.lockedBy();
      const started = journalPids(state);
      if (other !== null && other !== host.daemon?.pid) started.push(other);
      for (const pid of started) killGroup(pid);
      await until(() => started.every((pid) => identifyProcess(pid) === null), "what the agent started is gone");
      rmSync(root, { recursive: true, force: true });
    },
  };
  return host;
}

function readLock(state: string): number | null {
  try {
    return (JSON.parse(readFileSync(join(state, "agent.lock"), "utf8")) as { pid: number }).pid;
  } catch {
    return null;
  }
}

/** Pids of the applications that the journal names, and those that they recorded themselves. */
function journalPids(state: string): number[] {
  const journal = readIfPresent(join(state, "applications.json")) ?? `{"applications":[]}`;
  const { applications } = JSON.parse(journal) as {
    applications: { pid: number | null; application: { name: string } }[];
  };
  return applications
    .flatMap(({ pid, application }) => [pid, Number(readIfPresent(join(state, `run/${application.name}.pid`)) ?? 0)])
    .filter((pid) => pid !== null)
    .filter((pid) => pid > 0);
}

function readIfPresent(path: string): string | null {
  return existsSync(path) ? readFileSync(path, "utf8") : null;
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It ended by itself.
  }
}

async function tryConnect(path: string): Promise<true | null> {
  return new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(null));
  });
}

export interface AgentClient {
  call<Request extends AgentRequest>(request: Request): Promise<AgentResponseOf<Request>>;
  /** The error code a request is answered with; "ok" when it succeeds. */
  codeOf(request: AgentRequest | Record<string, unknown>): Promise<string>;
  send(content: string, digest?: string): Promise<{ complete: boolean }>;
  notices: AgentNotice[];
  closed: Promise<void>;
  close(): void;
}

interface Reply {
  id: number;
  ok: boolean;
  result: unknown;
  code: string;
  message: string;
}

/** A plain client of the protocol, apart from the channel's own. */
function createAgentClient(socket: Socket): AgentClient {
  const waiting = new Map<number, (reply: Reply) => void>();
  const notices: AgentNotice[] = [];
  let lastId = 0;
  let rest = "";
  socket.on("error", () => undefined);
  socket.setEncoding("utf8").on("data", (text: string) => {
    const lines = `${rest}${text}`.split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const frame = JSON.parse(line) as Reply & { notice?: AgentNotice };
      if (frame.notice === undefined) waiting.get(frame.id)?.(frame);
      else notices.push(frame.notice);
    }
  });
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  const exchange = (request: object): Promise<Reply> => {
    const id = (lastId += 1);
    const reply = new Promise<Reply>((resolve, reject) => {
      waiting.set(id, resolve);
      void closed.then(() => reject(new Error("the agent closed the channel")));
    });
    socket.write(`${JSON.stringify({ id, ...request })}\n`);
    return reply;
  };
  const client: AgentClient = {
    notices,
    closed,
    async call<Request extends AgentRequest>(request: Request) {
      const reply = await exchange(request);
      if (!reply.ok) throw new Error(`${request.op}: ${reply.code}: ${reply.message}`);
      return reply.result as AgentResponseOf<Request>;
    },
    codeOf: async (request) => {
      const reply = await exchange(request);
      return reply.ok ? "ok" : reply.code;
    },
    send(content, digest = sha256(content)) {
      const encoded = Buffer.from(content).toString("base64");
      return client.call({ op: "put", sha256: digest, index: 0, count: 1, content: encoded });
    },
    close: () => socket.destroy(),
  };
  return client;
}

/** Sends the content and installs it. */
export async function installFiles(
  client: AgentClient,
  key: SigningKey,
  { fence, epoch, files }: { fence: number; epoch: number; files: Record<string, string> },
) {
  for (const content of Object.values(files)) await client.send(content);
  return client.call({ op: "install", fence, signed: key.sign(manifestOf(epoch, files)) });
}

export function applicationOf(name: string, script: string, more: Partial<AgentApplication> = {}): AgentApplication {
  return {
    name,
    command: ["sh", "-c", script],
    directory: "/opt/app",
    port: 8080,
    environment: {},
    reload: "signal",
    stopGraceMs: 2000,
    ...more,
  };
}

/** Polls a fact until it holds and returns it. */
export async function until<T>(
  fact: () => Promise<T | false> | T | false,
  what: string,
  deadlineMs = 15_000,
): Promise<T> {
  const deadline = performance.now() + deadlineMs;
  while (performance.now() < deadline) {
    const found = await fact();
    if (found !== false && found !== undefined) return found;
    await wait(20);
  }
  throw new Error(`never became true: ${what}`);
}

/** The error a promise ends with; watched from now on, so that it may be awaited later. */
export function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    (value) => {
      throw new Error(`expected a failure, got ${JSON.stringify(value)}`);
    },
    (error: unknown) => error,
  );
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

export function readHostFile(host: AgentHost, path: string): string {
  return readFileSync(join(host.root, path), "utf8");
}

export function writeHostFile(host: AgentHost, path: string, content: string): void {
  mkdirSync(dirname(join(host.root, path)), { recursive: true });
  writeFileSync(join(host.root, path), content);
}
