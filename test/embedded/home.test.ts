import { chmodSync, existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { chooseSockets, createHome, removeSockets } from "../../embedded/home.ts";

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "fw-home-"));
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

test("sockets lie in the home where they fit", () => {
  createHome(root);
  expect(chooseSockets(root).rack).toBe(join(root, "run", "rack.sock"));
  expect(statSync(join(root, "run")).mode & 0o777).toBe(0o700);
});

test("a deep home gets a short private folder for its sockets, the same one after a restart", () => {
  const home = join(root, "d".repeat(60), "e".repeat(60));
  createHome(home);
  const sockets = chooseSockets(home);
  const folder = dirname(sockets.rack);
  expect(Buffer.byteLength(sockets.loadBalancer)).toBeLessThan(104);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  expect(chooseSockets(home)).toEqual(sockets);
  removeSockets(home, sockets);
  expect(existsSync(folder)).toBe(false);
});

test("a recorded folder that others can write to is not used again", () => {
  const home = join(root, "d".repeat(110));
  createHome(home);
  const first = chooseSockets(home);
  chmodSync(dirname(first.rack), 0o777);
  const second = chooseSockets(home);
  expect(dirname(second.rack)).not.toBe(dirname(first.rack));
  rmSync(dirname(first.rack), { recursive: true });
  removeSockets(home, second);
});
