import type { Readable, Writable } from "node:stream";
import type { ServerChannel } from "ssh2";
import { createSerial } from "./serial.ts";

/** Delivers the streams of a process to its channel until they end; never rejects, whatever becomes of the channel. */
export interface ChannelOutput {
  deliver(from: Readable, to: Writable): Promise<void>;
}

/**
 * Hands over one chunk at a time. ssh2 1.17 keeps one unsent remainder per channel, forgets that of the second
 * stream when both wait for the client's window, and sends a remainder again when the window opens the next time.
 */
export function createChannelOutput(channel: ServerChannel): ChannelOutput {
  const serial = createSerial();
  let open = true;
  channel.once("close", () => (open = false));
  const deliver = async (from: Readable, to: Writable) => {
    try {
      for await (const chunk of from) if (open) await serial.run(() => writeWhole(channel, to, chunk as Buffer));
    } catch {
      // The process was torn from its pipe: its end is told by its exit.
    }
  };
  return { deliver };
}

function writeWhole(channel: ServerChannel, to: Writable, chunk: Buffer): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      channel.off("close", done);
      Object.assign(channel, { _chunk: undefined, _chunkcb: undefined, _chunkErr: undefined, _chunkcbErr: undefined });
      resolve();
    };
    // A channel that closes never calls back.
    channel.once("close", done);
    to.write(chunk, done);
  });
}
