import { Client, Connection } from "@temporalio/client";
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { acceptsConnections, isServing } from "../../../embedded/temporal-server/health.ts";
import { freePort } from "../../../embedded/free-port.ts";
import {
  searchAttributes,
  startTemporalServer,
  type RunningTemporalServer,
} from "../../../embedded/temporal-server/start.ts";
import { newHome, temporalExecutable } from "../stack-kit.ts";

const executable = temporalExecutable() ?? "";
let home: string;
const servers: RunningTemporalServer[] = [];

beforeEach(() => {
  home = newHome();
});

afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
  rmSync(home, { recursive: true, force: true });
});

async function started(
  options: Partial<Parameters<typeof startTemporalServer>[0]> = {},
): Promise<RunningTemporalServer> {
  const server = await startTemporalServer({ home, executable, ...options });
  servers.push(server);
  return server;
}

async function withClient<T>(address: string, use: (client: Client) => Promise<T>): Promise<T> {
  const connection = await Connection.connect({ address });
  try {
    return await use(new Client({ connection }));
  } finally {
    await connection.close();
  }
}

describe.skipIf(executable === "")("the Temporal dev server (needs the `temporal` program)", () => {
  test("knows our search attributes with their types", async () => {
    const { address } = await started({ inMemory: true });
    const known = await withClient(address, async (client) =>
      client.connection.operatorService.listSearchAttributes({ namespace: "default" }),
    );
    // IndexedValueType: Keyword 2, Int 3, Double 4.
    const types = { Keyword: 2, Int: 3, Double: 4 };
    for (const [name, type] of Object.entries(searchAttributes))
      expect([name, known.customAttributes?.[name]]).toEqual([name, types[type]]);
    expect(existsSync(join(home, "temporal.db"))).toBe(false);
  });

  test("a restart on the same home and ports resumes its workflows", async () => {
    const first = await started();
    await withClient(first.address, async (client) =>
      client.workflow.start("anything", {
        taskQueue: "nobody",
        workflowId: "kept",
        searchAttributes: { ForewarmFleet: ["web"] },
      }),
    );
    await first.stop();
    const second = await started({ ports: first.ports });
    expect(second.address).toBe(first.address);
    const description = await withClient(second.address, async (client) =>
      client.workflow.getHandle("kept").describe(),
    );
    expect(description.status.name).toBe("RUNNING");
    expect(description.searchAttributes["ForewarmFleet"]).toEqual(["web"]);
  });

  test("serves its Web UI, and is told apart from anything else that listens", async () => {
    const { address, uiUrl, ports } = await started({ inMemory: true });
    expect(await isServing(address)).toBe(true);
    expect((await fetch(uiUrl)).status).toBe(200);
    expect(await acceptsConnections(address, 1000)).toBe(true);
    expect(await isServing(`127.0.0.1:${ports.ui}`)).toBe(false);
  });

  test("a taken port fails the start with what the server said", async () => {
    const { ports } = await started({ inMemory: true });
    const second = startTemporalServer({
      home,
      executable,
      inMemory: true,
      ports: { temporal: await freePort(), ui: ports.temporal },
    });
    await expect(second).rejects.toMatchObject({
      code: "COMMAND_FAILED",
      message: expect.stringMatching(/port|address already in use/i),
    });
  });
});

test("nothing serves where nothing listens", async () => {
  const address = `127.0.0.1:${await freePort()}`;
  expect(await isServing(address)).toBe(false);
  expect(await acceptsConnections(address, 1000)).toBe(false);
});
