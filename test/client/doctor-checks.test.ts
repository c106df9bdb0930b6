import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readClientConfig } from "../../client/config.ts";
import {
  checkDiskSpace,
  checkHome,
  checkLoopback,
  checkNode,
  checkStore,
  checkTemporal,
} from "../../client/doctor-checks.ts";
import { forewarm } from "./run-program.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "forewarm-doctor-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function listening(): Promise<{ port: number; close: () => void }> {
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen({ host: "127.0.0.1", port: 0 }, resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return { port: address.port, close: () => server.close() };
}

describe("doctor", { timeout: 30_000 }, () => {
  test.each([
    ["20.18.3", "missing"],
    ["20.19.0", "ok"],
    ["18.20.0", "missing"],
    ["24.0.0", "ok"],
  ])("calls node %s %s", (version, status) => {
    expect(checkNode(version).status).toBe(status);
  });

  test("names the ways to Temporal when there is none", async () => {
    const environment = { PATH: folder, XDG_CACHE_HOME: folder };
    const result = await checkTemporal(readClientConfig(environment));
    expect(result).toMatchObject({ status: "missing", cure: expect.stringContaining("TEMPORAL_ADDRESS") });
  });

  test("asks a server of one's own whether it answers", async () => {
    const { port, close } = await listening();
    const config = readClientConfig({ TEMPORAL_ADDRESS: `127.0.0.1:${port}` });
    expect(await checkTemporal(config)).toMatchObject({ status: "ok" });
    close();
    expect(await checkTemporal(config)).toMatchObject({ status: "missing" });
  });

  test("asks a Postgres of one's own whether it answers", async () => {
    const { port, close } = await listening();
    expect(await checkStore(`postgres://user@127.0.0.1:${port}/forewarm`)).toMatchObject({ status: "ok" });
    close();
    expect(await checkStore(`postgres://user@127.0.0.1:${port}/forewarm`)).toMatchObject({ status: "missing" });
    expect(await checkStore(null)).toMatchObject({ status: "ok", detail: expect.stringContaining("embedded") });
  });

  test("finds a home that can be written, also one that is not made yet", async () => {
    expect(await checkHome(join(folder, "not", "yet"))).toMatchObject({ status: "ok" });
  });

  test("finds a home that cannot be written, which a file in its way makes true for root as well", async () => {
    const closed = join(folder, "closed");
    writeFileSync(closed, "");
    expect(await checkHome(join(closed, "home"))).toMatchObject({
      status: "missing",
      cure: expect.stringContaining("FOREWARM_HOME"),
    });
  });

  test("compares free space with what is needed", async () => {
    expect(await checkDiskSpace(folder, 1)).toMatchObject({ status: "ok" });
    expect(await checkDiskSpace(folder, Number.MAX_SAFE_INTEGER)).toMatchObject({ status: "missing" });
  });

  test("tries to listen at an address of a host", async () => {
    expect(await checkLoopback("127.0.0.1")).toMatchObject({ status: "ok" });
    expect(await checkLoopback("192.0.2.1")).toMatchObject({ status: "absent" });
    const { port, close } = await listening();
    expect(await checkLoopback("127.0.0.1", port)).toMatchObject({
      status: "missing",
      cure: `End the program that listens on 0.0.0.0:${port}, or set FOREWARM_RACK_ADDRESSES=single.`,
    });
    close();
  });

  test("prints a table, or JSON, of all checks for the home asked for", async () => {
    const before = process.env["FOREWARM_HOME"];
    const text = await forewarm("doctor", "--home", folder);
    const json: unknown = JSON.parse((await forewarm("doctor", "--home", folder, "--output", "json")).out);
    if (before === undefined) delete process.env["FOREWARM_HOME"];
    else process.env["FOREWARM_HOME"] = before;
    expect(text.out).toMatch(new RegExp(`^home +ok +${folder}$`, "m"));
    expect(json).toContainEqual({ name: "home", status: "ok", detail: folder, cure: null });
  });
});
