import { constants } from "node:os";
import type { Readable } from "node:stream";
import type { ClientChannel } from "ssh2";
import { ForewarmError, isForewarmError } from "../../../domain/errors.ts";
import { limits } from "../../../domain/limits.ts";
import type { CommandRequest, CommandResult } from "../node-channel.ts";
import { asError } from "./deadline.ts";
import type { HostConnection } from "./host-connection.ts";
import { boundedCommand } from "./shell.ts";
import { describeHost } from "./ssh-errors.ts";

/** Time given to the remote process to be seen dead after a KILL before its channel is closed. */
const killWaitMs = 1000;
/** How much longer than its caller a command may live on a host that lost the connection. */
const orphanGraceMs = 5000;

type Command = Pick<CommandRequest, "command" | "stdin" | "timeoutMs">;

/** Runs a command to its end. When `signal` aborts, the remote process group is killed before this rejects. */
export async function runCommand(
  connection: HostConnection,
  request: Command,
  signal: AbortSignal,
): Promise<CommandResult> {
  const ended = AbortSignal.any([signal, connection.lost]);
  return connection.channels.run(ended, async () => {
    const startedMs = performance.now();
    const stdin = Buffer.from(request.stdin ?? "");
    const lifeSeconds = (request.timeoutMs + orphanGraceMs) / 1000;
    const command = boundedCommand({ command: request.command, stdinBytes: stdin.length, lifeSeconds });
    const channel = await openExec(connection, command, ended);
    if (stdin.length > 0) channel.write(stdin);
    const result = await collectResult(channel, connection, ended);
    return { ...result, durationMs: performance.now() - startedMs };
  });
}

/** Opens a session channel that executes a command; one that opens after `ended` is killed before this rejects. */
export function openExec(connection: HostConnection, command: string, ended: AbortSignal): Promise<ClientChannel> {
  return new Promise((resolve, reject) => {
    const giveUp = () => reject(asError(ended.reason));
    // The host may have started the command already: its answer is awaited, so that it can be killed.
    const giveUpSoon = () => void setTimeout(giveUp, connection.lost.aborted ? 0 : killWaitMs);
    const killThenGiveUp = async (channel: ClientChannel) => {
      await killChannel(channel);
      giveUp();
    };
    if (ended.aborted) return giveUp();
    ended.addEventListener("abort", giveUpSoon, { once: true });
    const refuse = (error: unknown) => {
      ended.removeEventListener("abort", giveUpSoon);
      reject(ended.aborted ? asError(ended.reason) : channelRefused(connection, asError(error)));
    };
    try {
      connection.client.exec(command, (error, channel) => {
        if (error !== undefined) return refuse(error);
        ended.removeEventListener("abort", giveUpSoon);
        channel.on("error", () => undefined);
        if (ended.aborted) void killThenGiveUp(channel);
        else resolve(channel);
      });
    } catch (error) {
      refuse(error);
    }
  });
}

function collectResult(
  channel: ClientChannel,
  connection: HostConnection,
  ended: AbortSignal,
): Promise<Omit<CommandResult, "durationMs">> {
  const stdout = collectText(channel);
  const stderr = collectText(channel.stderr);
  return new Promise((resolve, reject) => {
    const stop = () => void endCommand(channel, connection).then(() => reject(asError(ended.reason)));
    ended.addEventListener("abort", stop, { once: true });
    // The exit status of a short command can arrive before anything listens for `exit`; `close` repeats it.
    channel.on("close", (code?: number | null, killedBy?: string) => {
      if (ended.aborted) return;
      ended.removeEventListener("abort", stop);
      const exitCode = code ?? exitCodeOfSignal(killedBy);
      if (exitCode === null) reject(lostInMidCommand(connection));
      else resolve({ exitCode, stdout: stdout(), stderr: stderr() });
    });
    if (ended.aborted) stop();
  });
}

async function endCommand(channel: ClientChannel, connection: HostConnection): Promise<void> {
  if (!connection.lost.aborted) await killChannel(channel);
}

/** Closing a channel leaves its process alive, so it is killed first. */
function killChannel(channel: ClientChannel): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      channel.close();
      resolve();
    }, killWaitMs);
    channel.on("close", () => {
      clearTimeout(timer);
      resolve();
    });
    channel.resume();
    channel.stderr.resume();
    channel.signal("KILL");
  });
}

/** Keeps the first bytes of a stream, reads the rest without keeping it, and says so. */
function collectText(stream: Readable): () => string {
  const chunks: Buffer[] = [];
  let bytes = 0;
  stream.on("data", (chunk: Buffer) => {
    const room = limits.commandOutputBytesMax - Math.min(bytes, limits.commandOutputBytesMax);
    if (room > 0) chunks.push(chunk.subarray(0, room));
    bytes += chunk.length;
  });
  return () => {
    const text = Buffer.concat(chunks).toString("utf8");
    return bytes > limits.commandOutputBytesMax ? `${text}\n[cut: ${bytes} bytes in all]` : text;
  };
}

/** As a shell reports it: 128 plus the number of the signal. */
function exitCodeOfSignal(name: string | undefined): number | null {
  if (name === undefined) return null;
  const numbers: Record<string, number> = constants.signals;
  return 128 + (numbers[`SIG${name.replace(/^SIG/, "")}`] ?? 0);
}

function lostInMidCommand(connection: HostConnection): ForewarmError {
  return new ForewarmError("CHANNEL_LOST", `${describeHost(connection.endpoint)}: the channel closed in mid-command`);
}

function channelRefused(connection: HostConnection, error: Error): ForewarmError {
  if (isForewarmError(error)) return error;
  const message = `${describeHost(connection.endpoint)}: no channel: ${error.message}`;
  return new ForewarmError("CHANNEL_LOST", message, { cause: error });
}
