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

function portIsFree(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen({ host: address, port }, () => probe.close(() => resolve(true)));
  });
}

/** Binds the SSH port of an address; null when somebody has it or the service port. */
async function tryAddress(place: HostAddress, checkService: boolean): Promise<HostGate | null> {
  if (checkService && !(await portIsFree(place.address, place.servicePort))) return null;
  const gate = new HostGate();
  try {
    await gate.listen(place.address, place.sshPort);
    return gate;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EADDRINUSE") return null;
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

  /** An address with its SSH port bound; throws INSUFFICIENT_CAPACITY when none is found in a bounded search. */
  async claim(servicePort: number): Promise<{ place: HostAddress; gate: HostGate }> {
    for (let tries = 0; tries < limits.rackAddressesTriedMax; tries += 1) {
      const place = this.mode === "single" ? singleAddress(this.next) : rangeAddress(this.next, servicePort);
      this.next += 1;
      if (this.taken.has(keyOf(place))) continue;
      this.taken.add(keyOf(place));
      const gate = await tryAddress(place, this.mode === "single");
      if (gate) return { place, gate };
      this.taken.delete(keyOf(place));
    }
    throw new ForewarmError("INSUFFICIENT_CAPACITY", "no free loopback address or port for another host");
  }

  release(place: HostAddress): void {
    this.taken.delete(keyOf(place));
  }
}

function keyOf({ address, sshPort }: HostAddress): string {
  return `${address}:${sshPort}`;
}
