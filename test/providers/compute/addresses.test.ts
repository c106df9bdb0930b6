import { once } from "node:events";
import { createServer, type AddressInfo, type Server } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { AddressBook } from "../../../providers/compute/local/addresses.ts";
import { fromWireError, toWireError } from "../../../providers/compute/local/wire-errors.ts";

describe("addresses of local hosts", () => {
  const servers: Server[] = [];
  afterEach(async () => {
    await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
  });

  async function listening(host: string): Promise<number> {
    const server = createServer().listen(0, host);
    await once(server, "listening");
    servers.push(server);
    return (server.address() as AddressInfo).port;
  }

  // The service port stands for the SSH port too, which is the same for all: a test must not take 2222 of the machine.
  it("names the port that a program has on all addresses, and the cure, also across the control socket", async () => {
    const port = await listening("0.0.0.0");
    const book = new AddressBook({ mode: "loopback-range", rackId: "test", held: [] });
    const error: unknown = await book.claim(port).catch((thrown: unknown) => thrown);
    expect(fromWireError(toWireError(error).body)).toMatchObject({
      code: "PORT_IN_USE",
      message: expect.stringContaining(`0.0.0.0:${port}, or set FOREWARM_RACK_ADDRESSES=single`),
    });
  });

  it("passes over an address where the port is taken", async () => {
    const first = new AddressBook({ mode: "loopback-range", rackId: "test", held: [] });
    const one = await first.claim(0);
    const port = await listening(one.place.address);
    await one.gate.close();
    const again = await new AddressBook({ mode: "loopback-range", rackId: "test", held: [] }).claim(port);
    await again.gate.close();
    expect(again.place.address).not.toBe(one.place.address);
  });
});
