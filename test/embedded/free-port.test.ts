import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { choosePorts, isPortFree } from "../../embedded/free-port.ts";

test("ports are remembered while they are free and replaced when taken", async () => {
  const folder = mkdtempSync(join(tmpdir(), "fw-ports-"));
  const file = join(folder, "ports.json");
  const first = await choosePorts(file);
  expect(first.temporal).not.toBe(first.ui);
  expect(await choosePorts(file)).toEqual(first);
  const squatter = createServer().listen(first.temporal, "127.0.0.1");
  await once(squatter, "listening");
  expect(await isPortFree(first.temporal)).toBe(false);
  const second = await choosePorts(file);
  expect(second.temporal).not.toBe(first.temporal);
  expect(second.ui).toBe(first.ui);
  squatter.close();
  rmSync(folder, { recursive: true });
});
