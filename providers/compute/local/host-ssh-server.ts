import { connect } from "node:net";
import type { Socket } from "node:net";
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import ssh2 from "ssh2";
import type { AuthContext, Connection, ParsedKey, PseudoTtyInfo, ServerChannel, Session } from "ssh2";
import { parsePublicKey } from "./host-key.ts";
import { runOnChannel } from "./ssh-command.ts";
import type { CommandEnd, RunningCommand } from "./ssh-command.ts";
import { onTerminal } from "./terminal.ts";
import type { Terminal } from "./terminal.ts";

export const sshUser = "forewarm";

export interface HostSshOptions {
  /** Private host key as OpenSSH text. */
  hostKey: string;
  authorizedKey: string;
  /** Null when the host has just lost its power. */
  spawnShell(command: string): ChildProcessWithoutNullStreams | null;
  /** Path on this computer of a Unix socket that the host names by its own absolute path. */
  resolveSocket(path: string): string;
  onCommandEnd(end: CommandEnd): void;
}

/** A real SSH server for one host; sockets come from its gate. */
export interface HostSshServer {
  serve(socket: Socket): void;
}

function isAuthorized(context: AuthContext, allowed: ParsedKey): boolean {
  if (context.method !== "publickey" || context.username !== sshUser) return false;
  if (context.key.algo !== allowed.type || !context.key.data.equals(allowed.getPublicSSH())) return false;
  // Without a signature the client only asks whether the key would do.
  if (!context.signature || !context.blob) return true;
  // Despite its type, verify answers an Error for a signature it cannot read.
  const verified: unknown = allowed.verify(context.blob, context.signature, context.hashAlgo);
  return verified === true;
}

function serveSession(session: Session, options: HostSshOptions): void {
  let running: RunningCommand | null = null;
  let terminal: Terminal | null = null;
  const start = (channel: ServerChannel, command: string) => {
    try {
      const child = options.spawnShell(terminal ? onTerminal(command, terminal) : command);
      if (child) running = runOnChannel(channel, child, (end) => options.onCommandEnd(end));
      else channel.destroy();
    } catch (error) {
      // Out of processes or descriptors: this command fails, the other hosts of the rack go on.
      options.onCommandEnd({ code: null, signal: null, stderrTail: `not started: ${String(error)}` });
      channel.destroy();
    }
  };
  session.on("exec", (accept, _reject, { command }) => start(accept(), command));
  session.on("shell", (accept) => start(accept(), "exec /bin/sh -i"));
  session.on("pty", (accept, _reject, { rows, cols, term }: PseudoTtyInfo & { term?: string }) => {
    terminal = { rows, cols, term: term ?? "xterm" };
    accept?.();
  });
  session.on("signal", (_accept, _reject, { name }) => running?.signal(name));
}

async function forwardTo(path: string, accept: () => ServerChannel, reject: () => void): Promise<void> {
  const socket = connect({ path });
  const connected = await new Promise<boolean>((resolve) => {
    socket.once("connect", () => resolve(true));
    socket.on("error", () => resolve(false));
  });
  if (!connected) {
    reject();
    return;
  }
  const channel = accept();
  channel.on("error", () => socket.destroy());
  channel.on("close", () => socket.destroy());
  socket.on("close", () => channel.end());
  socket.pipe(channel).pipe(socket);
}

function serveConnection(connection: Connection, allowed: ParsedKey, options: HostSshOptions): void {
  connection.on("error", () => connection.end());
  connection.on("authentication", (context) => {
    if (isAuthorized(context, allowed)) context.accept();
    else context.reject(["publickey"]);
  });
  connection.on("session", (accept) => serveSession(accept(), options));
  connection.on("openssh.streamlocal", (accept, reject, { socketPath }) => {
    void forwardTo(options.resolveSocket(socketPath), accept, reject);
  });
}

/** Clients offer forwards to Unix sockets only to servers that call themselves OpenSSH. */
const ident = "OpenSSH_9.0 forewarm-rack";

/** Public key authentication alone, commands in the host, and forwards to the host's Unix sockets. */
export function createHostSshServer(options: HostSshOptions): HostSshServer {
  const allowed = parsePublicKey(options.authorizedKey);
  const server = new ssh2.Server({ hostKeys: [options.hostKey], ident }, (connection) =>
    serveConnection(connection, allowed, options),
  );
  return { serve: (socket) => server.injectSocket(socket) };
}
