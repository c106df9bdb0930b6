import { lstatSync, readdirSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  type AgentClient,
  type AgentHost,
  bundleAgent,
  installFiles,
  makeAgentHost,
  makeSigningKey,
  manifestOf,
  readHostFile,
  sha256,
  writeHostFile,
} from "./agent-fixture.ts";

let bundle: string;
let host: AgentHost;
let client: AgentClient;

beforeAll(async () => {
  bundle = await bundleAgent();
});
beforeEach(async () => {
  host = makeAgentHost(bundle);
  await host.start();
  client = await host.open();
});
afterEach(() => host.dispose());

const configuration = "var/lib/forewarm/current";
const first = { "app.json": `{"a":1}`, "nested/limits.conf": "max=3\n" };

describe("install", () => {
  it("lays a generation out and points `current` at it", async () => {
    const result = await installFiles(client, host.key, { fence: 1, epoch: 4, files: first });
    expect(result).toMatchObject({ epoch: 4, changed: true, hooks: ["reload"] });
    expect(readlinkSync(join(host.root, configuration))).toBe("generations/4");
    expect(readHostFile(host, `${configuration}/nested/limits.conf`)).toBe("max=3\n");
    expect(lstatSync(join(host.root, configuration, "app.json")).mode & 0o777).toBe(0o644);
    const hello = await client.call({ op: "hello", protocol: 1 });
    expect(hello).toMatchObject({ fence: 1, epoch: 4, digest: result.digest });
    expect(await client.call({ op: "digest" })).toEqual({ epoch: 4, digest: result.digest });
  });

  it("takes an equal fence and digest as done, and repeats the hooks its lost answer named", async () => {
    await installFiles(client, host.key, { fence: 3, epoch: 1, files: first });
    const again = await client.call({ op: "install", fence: 3, signed: host.key.sign(manifestOf(1, first)) });
    expect(again).toMatchObject({ changed: false, hooks: ["reload"] });
    const later = await client.call({ op: "install", fence: 4, signed: host.key.sign(manifestOf(1, first)) });
    expect(later).toMatchObject({ changed: false, hooks: [] });
  });

  it("refuses a lower fence, and another digest under an equal one", async () => {
    await installFiles(client, host.key, { fence: 5, epoch: 1, files: first });
    const other = host.key.sign(manifestOf(2, { "app.json": `{"a":2}` }));
    expect(await client.codeOf({ op: "install", fence: 4, signed: other })).toBe("FENCE_REFUSED");
    expect(await client.codeOf({ op: "install", fence: 5, signed: other })).toBe("FENCE_REFUSED");
    expect(await client.codeOf({ op: "start", fence: 4, applications: [] })).toBe("FENCE_REFUSED");
    expect(await client.codeOf({ op: "stop", fence: 4 })).toBe("FENCE_REFUSED");
    expect(await client.codeOf({ op: "reload", fence: 4 })).toBe("FENCE_REFUSED");
  });

  it("remembers the highest fence over a crash", async () => {
    await installFiles(client, host.key, { fence: 9, epoch: 1, files: first });
    await host.kill();
    await host.start();
    client = await host.open();
    expect(await client.codeOf({ op: "start", fence: 8, applications: [] })).toBe("FENCE_REFUSED");
    expect(await client.call({ op: "hello", protocol: 1 })).toMatchObject({ fence: 9, epoch: 1 });
  });

  it("refuses a signer that agent.json does not list, and a changed manifest", async () => {
    const stranger = makeSigningKey().sign(manifestOf(1, first));
    expect(await client.codeOf({ op: "install", fence: 1, signed: stranger })).toBe("MANIFEST_REFUSED");
    const signed = host.key.sign(manifestOf(1, first));
    const changed = { ...signed, manifest: signed.manifest.replace("0644", "0666") };
    expect(await client.codeOf({ op: "install", fence: 1, signed: changed })).toBe("MANIFEST_REFUSED");
    expect(await client.call({ op: "hello", protocol: 1 })).toMatchObject({ fence: 0, epoch: 0, digest: "" });
  });

  it("refuses another fleet, an expired manifest, a hook that is not allowed and a path that leaves", async () => {
    const install = (change: object) =>
      client.codeOf({ op: "install", fence: 1, signed: host.key.sign({ ...manifestOf(1, first), ...change }) });
    expect(await install({ fleet: "other" })).toBe("MANIFEST_REFUSED");
    expect(await install({ expiresAtMs: 1000 })).toBe("MANIFEST_EXPIRED");
    const settings = { fleet: "shop", signingKeys: [host.key.publicKey], hooks: ["restart"] };
    writeFileSync(join(host.state, "agent.json"), JSON.stringify(settings));
    expect(await install({})).toBe("MANIFEST_REFUSED");
    expect(() => host.key.sign(manifestOf(1, { "../../etc/passwd": "x" }))).toThrow(/leaves its folder/);
  });

  it("refuses an older epoch as a replay, but takes it to repair the very content in force", async () => {
    await installFiles(client, host.key, { fence: 1, epoch: 5, files: first });
    const second = { "app.json": `{"a":2}` };
    await installFiles(client, host.key, { fence: 2, epoch: 6, files: second });
    await client.send(first["app.json"]);
    const replay = { op: "install", fence: 3, signed: host.key.sign(manifestOf(5, first)) };
    expect(await client.codeOf(replay)).toBe("MANIFEST_REFUSED");
    const repair = { op: "install", fence: 3, signed: host.key.sign(manifestOf(4, second)) };
    expect(await client.codeOf(repair)).toBe("ok");
  });

  it("refuses content that does not match its digest, and stages it again", async () => {
    expect(await client.codeOf({ op: "put", sha256: sha256("good"), index: 0, count: 1, content: "YmFk" })).toBe(
      "DIGEST_MISMATCH",
    );
    await client.send("good");
    writeHostFile(host, `var/lib/forewarm/blobs/${sha256("good")}`, "evil");
    const request = { op: "install", fence: 1, signed: host.key.sign(manifestOf(1, { "a.txt": "good" })) };
    expect(await client.codeOf(request)).toBe("DIGEST_MISMATCH");
    expect((await client.call({ op: "missing", sha256: [sha256("good")] })).sha256).toEqual([sha256("good")]);
    await client.send("good");
    expect(await client.codeOf(request)).toBe("ok");
  });

  it("assembles chunks that come in any order and twice", async () => {
    const digest = sha256("abcdef");
    const put = (index: number, text: string) =>
      client.call({ op: "put", sha256: digest, index, count: 2, content: Buffer.from(text).toString("base64") });
    expect(await put(1, "def")).toEqual({ complete: false });
    expect(await put(1, "def")).toEqual({ complete: false });
    expect(await put(0, "abc")).toEqual({ complete: true });
    expect((await client.call({ op: "missing", sha256: [digest] })).sha256).toEqual([]);
    expect(await client.codeOf({ op: "put", sha256: sha256("other"), index: 0, count: 1_000, content: "" })).toBe(
      "INVALID_REQUEST",
    );
  });

  it("asks only for content it lacks, and takes unchanged files from the generation in force", async () => {
    await installFiles(client, host.key, { fence: 1, epoch: 1, files: first });
    const next = { ...first, "app.json": `{"a":2}` };
    const wanted = Object.values(next).map((content) => sha256(content));
    expect((await client.call({ op: "missing", sha256: wanted })).sha256).toEqual([sha256(`{"a":2}`)]);
    await client.send(`{"a":2}`);
    const result = await client.call({ op: "install", fence: 2, signed: host.key.sign(manifestOf(2, next)) });
    expect(result).toMatchObject({ epoch: 2, changed: true });
    expect(readHostFile(host, `${configuration}/nested/limits.conf`)).toBe("max=3\n");
  });

  it("keeps two generations besides the one in force", async () => {
    for (const epoch of [1, 2, 3, 4, 5]) {
      await installFiles(client, host.key, { fence: epoch, epoch, files: { "app.json": `{"a":${epoch}}` } });
    }
    const kept = readdirSync(join(host.state, "generations")).filter((name) => !name.endsWith(".json"));
    expect(kept.sort()).toEqual(["3", "4", "5"]);
  });

  it("names the hooks of changed files only", async () => {
    const files = { "a.conf": "1", "b.restart": "1" };
    expect((await installFiles(client, host.key, { fence: 1, epoch: 1, files })).hooks).toEqual(["reload", "restart"]);
    const reload = await installFiles(client, host.key, { fence: 2, epoch: 2, files: { ...files, "a.conf": "2" } });
    expect(reload.hooks).toEqual(["reload"]);
    const removed = await installFiles(client, host.key, { fence: 3, epoch: 3, files: { "a.conf": "2" } });
    expect(removed.hooks).toEqual(["restart"]);
  });
});

describe("live digest", () => {
  it.each([
    ["content", () => writeHostFile(host, `${configuration}/app.json`, `{"a":9}`)],
    ["an added file", () => writeHostFile(host, `${configuration}/extra.conf`, "x")],
    ["a removed file", () => rmSync(join(host.root, configuration, "app.json"))],
  ])("notices %s, and the same manifest under a higher fence repairs it", async (_what, drift) => {
    const { digest } = await installFiles(client, host.key, { fence: 1, epoch: 1, files: first });
    drift();
    expect((await client.call({ op: "digest" })).digest).not.toBe(digest);
    const verdict = await client.call({ op: "verify", checks: [{ kind: "digest" }] });
    expect(verdict.passed).toBe(false);
    expect(verdict.evidence[0]?.detail).toContain(digest);
    const repaired = await installFiles(client, host.key, { fence: 2, epoch: 1, files: first });
    expect(repaired).toMatchObject({ changed: true, digest });
    expect((await client.call({ op: "digest" })).digest).toBe(digest);
  });
});
