import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:http";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { progressLine } from "../../../embedded/temporal-server/go-build.ts";
import { resolveTemporal, rungContext, rungs } from "../../../embedded/temporal-server/resolve.ts";
import type { RungContext } from "../../../embedded/temporal-server/rung.ts";
import { freePort } from "../../../embedded/free-port.ts";

let folder: string;
let bin: string;
let cacheFolder: string;
let lines: string[];
let server: Server | null = null;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "fw-ladder-"));
  bin = join(folder, "bin");
  cacheFolder = join(folder, "cache");
  mkdirSync(bin);
  mkdirSync(cacheFolder);
  lines = [];
});

afterEach(async () => {
  if (server !== null) await new Promise((resolve) => server?.close(resolve));
  server = null;
  rmSync(folder, { recursive: true, force: true });
});

/** A shell script; only the named folder is on the PATH, so it names its programs absolutely. */
function script(path: string, body: string): string {
  writeFileSync(path, `#!/bin/sh\n${body}\n`);
  chmodSync(path, 0o755);
  return path;
}

const cli = (path: string, version: string): string => script(path, `echo "temporal version ${version}"`);

async function context(environment: Record<string, string> = {}): Promise<RungContext> {
  const real = rungContext({
    environment: { PATH: bin, ...environment },
    cacheFolder,
    onProgress: (line) => lines.push(line),
    signal: new AbortController().signal,
  });
  return { ...real, downloadEndpoint: `http://127.0.0.1:${await freePort()}/cli/default` };
}

test("the ways are tried in their order, each next one when those before it are gone", async () => {
  const named = cli(join(folder, "named"), "1");
  const onPath = cli(join(bin, "temporal"), "2");
  const cached = cli(join(cacheFolder, "temporal"), "3");
  const environment: Record<string, string> = { TEMPORAL_ADDRESS: "127.0.0.1:7233", TEMPORAL_CLI_PATH: named };
  expect((await resolveTemporal(await context(environment))).server).toEqual({
    kind: "address",
    address: "127.0.0.1:7233",
  });
  delete environment["TEMPORAL_ADDRESS"];
  expect((await resolveTemporal(await context(environment))).server).toEqual({
    kind: "executable",
    path: named,
    version: "temporal version 1",
  });
  delete environment["TEMPORAL_CLI_PATH"];
  expect((await resolveTemporal(await context(environment))).server).toMatchObject({ path: onPath });
  rmSync(onPath);
  const last = await resolveTemporal(await context(environment));
  expect(last.server).toMatchObject({ path: cached });
  expect(last.tried.map(({ name }) => name)).toEqual(["TEMPORAL_ADDRESS", "TEMPORAL_CLI_PATH", "temporal on PATH"]);
  expect(lines).toEqual([]);
});

test("an unusable program is skipped, and it is said why", async () => {
  script(join(bin, "temporal"), "echo some other program");
  writeFileSync(join(cacheFolder, "temporal"), "half a download");
  const named = script(join(folder, "named"), "echo broken >&2; exit 7");
  await expect(resolveTemporal(await context({ TEMPORAL_CLI_PATH: named }))).rejects.toMatchObject({
    code: "TEMPORAL_MISSING",
  });
  expect(lines[0]).toContain(`Temporal: TEMPORAL_CLI_PATH: ${named} does not run`);
  expect(lines[1]).toBe(`Temporal: temporal on PATH: ${join(bin, "temporal")} is not the Temporal CLI`);
  expect(lines[2]).toBe(`Temporal: cache: ${join(cacheFolder, "temporal")} is not an executable file`);
});

test("without a way the error names all of them, and offline that is quick", async () => {
  const before = performance.now();
  const error = await resolveTemporal(await context()).catch((reason: unknown) => reason as Error);
  expect(performance.now() - before).toBeLessThan(3000);
  for (const { name } of rungs) expect((error as Error).message).toContain(`${name}: `);
  expect((error as Error).message).toMatch(/download: 127\.0\.0\.1:\d+: .*ECONNREFUSED/);
  expect((error as Error).message).toContain("go install: no go on PATH");
});

test("the download is unpacked into the cache and found there the next time", async () => {
  const asked = await serveArchive(`echo "temporal version 1.9.0"`);
  const found = await resolveTemporal({ ...(await context()), downloadEndpoint: asked.endpoint });
  expect(found.server).toEqual({
    kind: "executable",
    path: join(cacheFolder, "temporal"),
    version: "temporal version 1.9.0",
  });
  expect(asked.query()).toMatchObject({
    arch: expect.stringMatching(/^(amd64|arm64)$/),
    platform: process.platform,
    format: "tar.gz",
  });
  expect(readdirSync(cacheFolder)).toEqual(["temporal"]);
  expect((await resolveTemporal(await context())).server).toEqual(found.server);
});

test("a download that does not run is not kept", async () => {
  const { endpoint } = await serveArchive("exit 1");
  await expect(resolveTemporal({ ...(await context()), downloadEndpoint: endpoint })).rejects.toMatchObject({
    code: "TEMPORAL_MISSING",
  });
  expect(readdirSync(cacheFolder)).toEqual([]);
});

test("an answer that names a file outside of the archive is refused", async () => {
  const { endpoint } = await serveArchive("exit 0", "../../temporal");
  await expect(resolveTemporal({ ...(await context()), downloadEndpoint: endpoint })).rejects.toThrow(
    /download: .*fileToExtract|download: 127/,
  );
  expect(existsSync(join(folder, "temporal"))).toBe(false);
});

test("Go builds the pinned version into the cache with a line on its progress", async () => {
  script(
    join(bin, "go"),
    `echo "$@" "CGO_ENABLED=$CGO_ENABLED" "GOFLAGS=$GOFLAGS" > ${join(folder, "asked")}
printf '#!/bin/sh\\necho temporal version 1.5.1\\n' > "$GOBIN/temporal"`,
  );
  const found = await resolveTemporal(await context());
  expect(found.server).toEqual({
    kind: "executable",
    path: join(cacheFolder, "temporal"),
    version: "temporal version 1.5.1",
  });
  expect(readFileSync(join(folder, "asked"), "utf8").trim()).toBe(
    "install -trimpath -ldflags -s -w github.com/temporalio/cli/cmd/temporal@v1.5.1 CGO_ENABLED=0 GOFLAGS=-modcacherw",
  );
  expect(lines).toContain("building Temporal CLI v1.5.1 with Go: 0 s, usually 3-5 min, once");
  expect(readdirSync(cacheFolder)).toEqual(["temporal"]);
});

test("a failed build says its last line and leaves nothing in the cache", async () => {
  script(join(bin, "go"), "echo downloading >&2; echo 'module lookup disabled' >&2; exit 1");
  await expect(resolveTemporal(await context())).rejects.toThrow(
    "go install: the build failed: module lookup disabled",
  );
  expect(readdirSync(cacheFolder)).toEqual([]);
});

test("a cancelled search ends at once", async () => {
  const cancel = new AbortController();
  script(join(bin, "go"), "exec /bin/sleep 60");
  const search = resolveTemporal({
    ...(await context()),
    signal: cancel.signal,
    onProgress: (line) => line.startsWith("building") && cancel.abort(),
  });
  await expect(search).rejects.toMatchObject({ name: "AbortError" });
});

test("build time is told in minutes and seconds", () => {
  expect(progressLine(70_000)).toBe("building Temporal CLI v1.5.1 with Go: 1 min 10 s, usually 3-5 min, once");
});

async function serveArchive(body: string, fileToExtract = "temporal"): Promise<{ endpoint: string; query(): object }> {
  script(join(folder, "temporal"), body);
  execFileSync("tar", ["-czf", join(folder, "archive.tar.gz"), "-C", folder, "temporal"]);
  rmSync(join(folder, "temporal"));
  let query = {};
  const listening = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://127.0.0.1");
    if (url.pathname === "/archive") return response.end(readFileSync(join(folder, "archive.tar.gz")));
    query = Object.fromEntries(url.searchParams);
    const { port } = listening.address() as AddressInfo;
    return response.end(JSON.stringify({ archiveUrl: `http://127.0.0.1:${port}/archive`, fileToExtract }));
  });
  server = listening.listen(0, "127.0.0.1");
  await once(listening, "listening");
  const { port } = listening.address() as AddressInfo;
  return { endpoint: `http://127.0.0.1:${port}/cli/default`, query: () => query };
}
