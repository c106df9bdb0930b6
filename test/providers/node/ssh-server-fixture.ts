import { type ChildProcess, spawn } from "node:child_process";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import ssh2, { type Connection, type ServerChannel, type Session } from "ssh2";
import type { HostEndpoint } from "../../../domain/host/host-endpoint.ts";
import { hostKeyFingerprint } from "../../../providers/node/ssh/host-key.ts";

const { Server, utils } = ssh2;

export interface KeyPair {
  private: string;
  public: string;
}

/** ECDSA, because ssh2 makes an unusable Ed25519 key now and then. */
export function makeKeyPair(): KeyPair {
  return utils.generateKeyPairSync("ecdsa", { bits: 256 });
}

export interface SshServerOptions {
  hostKey?: KeyPair;
  allowedKey: KeyPair;
  /** Folder that stands for `/` of the host. */
  root: string;
  sessionsMax?: number;
  streamLocal?: "forward" | "refuse";
  /** Where forwards to the agent's socket lead; below the root by default. */
  socketPath?: string;
}

export interface SshServerFixture {
  endpoint: HostEndpoint;
  /** Largest number of session channels that were open at once on one connection. */
  sessionsPeak(): number;
  refusedSessions(): number;
  connections(): number;
  /** Connections that are open now. */
  open(): number;
  connectsPeak(): number;
  signals: string[];
  children: Set<ChildProcess>;
  commands: string[];
  /** Stops answering without closing anything, as a machine that hangs. */
  freeze(): void;
  /** Accepts connections from now on, but never answers on them. */
  freezeNewConnections(): void;
  /** Closes the open session channels without an exit status. */
  closeSessions(): void;
  /** Cuts every connection with a TCP reset. */
  resetConnections(): void;
  stop(): Promise<void>;
}

/** A real SSH server that executes real processes; closing a channel leaves its process alive, as OpenSSH does. */
export async function startSshServer(options: SshServerOptions): Promise<SshServerFixture> {
  const hostKey = options.hostKey ?? makeKeyPair();
  const allowed = parseKey(options.allowedKey.public);
  const sockets = new Set<Socket>();
  const state = { sessionsPeak: 0, refused: 0, connections: 0, handshakes: 0, connectsPeak: 0 };
  const signals: string[] = [];
  const commands: string[] = [];
  const children = new Set<ChildProcess>();
  const channels = new Set<ServerChannel>();
  let silent = false;

  const runCommand = (session: Session) => {
    let child: ChildProcess | undefined;
    session.on("signal", (accept, _reject, info) => {
      signals.push(info.name);
      if (child?.pid !== undefined) process.kill(-child.pid, `SIG${info.name}` as NodeJS.Signals);
      accept?.();
    });
    session.on("exec", (accept, _reject, { command }) => {
      commands.push(command);
      child = spawn("sh", ["-c", command], {
        detached: true,
        env: { ...process.env, FOREWARM_ROOT: options.root },
      });
      children.add(child);
      const channel = accept();
      channels.add(channel);
      channel.on("close", () => channels.delete(channel));
      joinStreams(channel, child, () => children.delete(child!));
    });
  };

  const serve = (connection: Connection) => {
    let open = 0;
    connection.on("error", () => undefined);
    connection.on("authentication", (context) => {
      const known = context.method === "publickey" && context.key.data.equals(allowed.getPublicSSH());
      if (known && (!context.signature || allowed.verify(context.blob!, context.signature, context.hashAlgo))) {
        context.accept();
      } else context.reject(["publickey"]);
    });
    connection.on("ready", () => {
      state.handshakes -= 1;
    });
    connection.on("session", (accept, reject) => {
      if (open >= (options.sessionsMax ?? 10)) {
        state.refused += 1;
        return reject();
      }
      open += 1;
      state.sessionsPeak = Math.max(state.sessionsPeak, open);
      const session = accept();
      session.on("close", () => (open -= 1));
      runCommand(session);
    });
    connection.on("openssh.streamlocal", (accept, reject, info) => {
      if (options.streamLocal === "refuse") return reject();
      const socket = connect(options.socketPath ?? join(options.root, info.socketPath));
      socket.once("error", () => reject());
      socket.once("connect", () => {
        const channel = accept();
        socket.removeAllListeners("error").on("error", () => channel.destroy());
        socket.pipe(channel).pipe(socket);
        channel.on("close", () => socket.destroy());
      });
    });
  };

  const server = new Server({ hostKeys: [hostKey.private] }, serve);
  const listener = createServer((socket) => {
    socket.setNoDelay(true);
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket)).on("error", () => undefined);
    state.connections += 1;
    state.handshakes += 1;
    state.connectsPeak = Math.max(state.connectsPeak, state.handshakes);
    if (silent) socket.resume();
    else server.injectSocket(socket);
  });
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const address = listener.address();
  if (address === null || typeof address === "string") throw new Error("the fixture has no port");

  return {
    endpoint: {
      hostId: "host-1",
      machineId: "machine-1",
      zone: "a",
      address: "127.0.0.1",
      sshPort: address.port,
      sshUser: "operator",
      hostKeyFingerprint: hostKeyFingerprint(parseKey(hostKey.public).getPublicSSH()),
      servicePort: 8080,
    },
    sessionsPeak: () => state.sessionsPeak,
    refusedSessions: () => state.refused,
    connections: () => state.connections,
    connectsPeak: () => state.connectsPeak,
    signals,
    children,
    commands,
    open: () => sockets.size,
    freezeNewConnections: () => {
      silent = true;
    },
    closeSessions: () => channels.forEach((channel) => channel.close()),
    freeze: () => sockets.forEach((socket) => socket.pause()),
    resetConnections: () => sockets.forEach((socket) => socket.resetAndDestroy()),
    async stop() {
      for (const socket of sockets) socket.destroy();
      for (const child of children) killGroup(child);
      await new Promise<void>((resolve) => listener.close(() => resolve()));
    },
  };
}

function parseKey(text: string) {
  const key = utils.parseKey(text);
  if (key instanceof Error) throw key;
  return Array.isArray(key) ? key[0]! : key;
}

function joinStreams(channel: ServerChannel, child: ChildProcess, ended: () => void): void {
  channel.pipe(child.stdin!);
  child.stdin!.on("error", () => undefined);
  channel.on("error", () => undefined);
  child.stdout!.pipe(channel, { end: false });
  child.stderr!.pipe(channel.stderr, { end: false });
  child.on("exit", () => ended());
  child.on("close", (code, signal) => {
    if (signal === null) channel.exit(code ?? 0);
    else channel.exit(signal.replace("SIG", ""), false, "");
    channel.end();
  });
}

function killGroup(child: ChildProcess): void {
  try {
    process.kill(-child.pid!, "SIGKILL");
  } catch {
    // It ended by itself.
  }
}
