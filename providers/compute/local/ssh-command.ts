import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { constants } from "node:os";
import type { ServerChannel } from "ssh2";
import { createChannelOutput } from "./channel-output.ts";
import { sendSignal } from "./process-table.ts";

const stderrTailBytes = 2048;

/** A command that runs on a host for an SSH channel. */
export interface RunningCommand {
  /** Signals its whole process group; `name` as in RFC 4254 §6.10, without SIG. */
  signal(name: string): void;
}

export interface CommandEnd {
  code: number | null;
  signal: NodeJS.Signals | null;
  stderrTail: string;
}

function isSignal(name: string): name is NodeJS.Signals {
  return name in constants.signals;
}

/** Keeps the end of what a stream says, for the console of the host. */
function tailOf(child: ChildProcessWithoutNullStreams): () => string {
  let tail = "";
  child.stderr.on("data", (chunk: Buffer) => {
    tail = (tail + chunk.toString("utf8")).slice(-stderrTailBytes);
  });
  return () => tail;
}

/** As sshd does: told when the process has ended and all its output is delivered. */
function reportExit(channel: ServerChannel, end: CommandEnd): void {
  if (end.signal) channel.exit(end.signal.replace(/^SIG/, ""), false, "");
  else channel.exit(end.code ?? 255);
  channel.end();
}

/** Connects a process with a channel until both are done. A closed channel leaves the process alone. */
export function runOnChannel(
  channel: ServerChannel,
  child: ChildProcessWithoutNullStreams,
  onEnd: (end: CommandEnd) => void,
): RunningCommand {
  const stderrTail = tailOf(child);
  const output = createChannelOutput(channel);
  const delivered = Promise.all([output.deliver(child.stdout, channel), output.deliver(child.stderr, channel.stderr)]);
  channel.pipe(child.stdin);
  // The command may stop reading, and the client may hang up: neither is a failure of the rack.
  child.stdin.on("error", () => {});
  channel.on("error", () => {});
  channel.on("close", () => child.stdin.end());
  child.once("error", (error) => {
    channel.stderr.write(`rack: ${error.message}\n`);
    reportExit(channel, { code: 127, signal: null, stderrTail: error.message });
  });
  child.once("close", (code, signal) => {
    const end = { code, signal, stderrTail: stderrTail() };
    void delivered.then(() => reportExit(channel, end));
    onEnd(end);
  });
  return { signal: (name) => signalGroup(child.pid, `SIG${name}`) };
}

function signalGroup(pid: number | undefined, signal: string): void {
  if (pid !== undefined && isSignal(signal)) sendSignal(-pid, signal);
}
