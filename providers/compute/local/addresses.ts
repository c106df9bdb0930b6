import { createHash } from "node:crypto";
import { createServer } from "node:net";
import { ForewarmError } from "../../../domain/errors.ts";
import { limits } from "../../../domain/limits.ts";
import { HostGate } from "./host-gate.ts";

/** `loopback-range`: every host has its own 127.1.x.y; `single`: all share 127.0.0.1 and have their own ports. */
export type AddressMode = "loopback-range" | "single";

export interface HostAddress {
  address: string;
  sshPort: number;
  servicePort: number;
}

const rangeSshPort = 2222;
const rangeSize = 256 * 254;
/** Below the ports that Linux and macOS give to outgoing connections. */
const firstSinglePort = 20_000;
const singlePairs = 5000;

/** Racks of one computer start at different places, so that they seldom meet. */
function startingPoint(rackId: string): number {
  return createHash("sha256").update(rackId).digest().readUInt32LE(0);
}

function rangeAddress(index: number, servicePort: number): HostAddress {
  const place = index % rangeSize;
  const address = `127.1.${Math.floor(place / 254)}.${(place % 254) + 1}`;
  return { address, sshPort: rangeSshPort, servicePort };
}

function singleAddress(index: number): HostAddress {
  const sshPort = firstSinglePort + 2 * (index % singlePairs);
  return { address: "127.0.0.1", sshPort, servicePort: sshPort + 1 };
}

function isInUse(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EADDRINUSE";
}

/** Whether somebody listens there; other reasons that keep a port from being bound are left to who will use it. */
function portIsTaken(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", (error) => resolve(isInUse(error)));
    probe.listen({ host: address, port }, () => probe.close(() => resolve(false)));
  });
}

/** Binds the SSH port of an address; tells the port that somebody has when that, or the service port, is taken. */
async function tryAddress(place: HostAddress): Promise<{ gate: HostGate } | { takenPort: number }> {
  const { address, sshPort, servicePort } = place;
  if (await portIsTaken(address, servicePort)) return { takenPort: servicePort };
  const gate = new HostGate();
  try {
    await gate.listen(address, sshPort);
    return { gate };
  } catch (error) {
    if (isInUse(error)) return { takenPort: sshPort };
    const cure = "Set FOREWARM_RACK_ADDRESSES=single where 127.1.x.y is not available.";
    throw new ForewarmError("INVALID_REQUEST", `cannot listen on ${place.address}`, { cause: error, cure });
  }
}

/** Hands out addresses that no host of this rack holds and nobody else listens on. */
export class AddressBook {
  private readonly taken: Set<string>;
  private readonly mode: AddressMode;
  private next: number;

  constructor(options: { mode: AddressMode; rackId: string; held: HostAddress[] }) {
    this.mode = options.mode;
    this.next = startingPoint(options.rackId);
    this.taken = new Set(options.held.map(keyOf));
  }

  /**
   * An address with its SSH port bound. Throws, when none is found in a bounded search, PORT_IN_USE where all addresses
   * had one of their ports taken, else INSUFFICIENT_CAPACITY.
   */
  async claim(servicePort: number): Promise<{ place: HostAddress; gate: HostGate }> {
    const takenPorts = new Set<number>();
    for (let tries = 0; tries < limits.rackAddressesTriedMax; tries += 1) {
      const place = this.mode === "single" ? singleAddress(this.next) : rangeAddress(this.next, servicePort);
      this.next += 1;
      if (this.taken.has(keyOf(place))) continue;
      this.taken.add(keyOf(place));
      const tried = await tryAddress(place);
      if ("gate" in tried) return { place, gate: tried.gate };
      this.taken.delete(keyOf(place));
      takenPorts.add(tried.takenPort);
    }
    if (this.mode === "loopback-range" && takenPorts.size > 0) throw portInUse([...takenPorts]);
    throw new ForewarmError("INSUFFICIENT_CAPACITY", "no free loopback address or port for another host");
  }

  release(place: HostAddress): void {
    this.taken.delete(keyOf(place));
  }
}

/** The control socket hands on the message alone, so the cure is in it. */
function portInUse(ports: number[]): ForewarmError {
  const everywhere = ports.map((port) => `0.0.0.0:${port}`).join(" or ");
  const message = `port ${ports.join(" or ")} is in use at every address tried for a local host`;
  const cure = `End the program that listens on ${everywhere}, or set FOREWARM_RACK_ADDRESSES=single.`;
  return new ForewarmError("PORT_IN_USE", `${message}; most likely a program listens on ${everywhere}. ${cure}`, {
    cure,
  });
}

function keyOf({ address, sshPort }: HostAddress): string {
  return `${address}:${sshPort}`;
}
