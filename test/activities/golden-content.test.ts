import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { createGoldenContent } from "../../activities/golden-content.ts";
import type { GoldenReference } from "../../domain/host/fleet-state.ts";
import type { HostEndpoint } from "../../domain/host/host-endpoint.ts";
import { limits } from "../../domain/limits.ts";
import type { NodeChannel } from "../../providers/node/node-channel.ts";
import type { Store } from "../../providers/store/store.ts";
import type { AgentRequest } from "../../schema/agent-protocol.ts";
import { asActivity } from "./activity-run.ts";
import { goldenOf } from "../domain/host/fleet-fixture.ts";

const sha256 = (content: Buffer): string => createHash("sha256").update(content).digest("hex");

const endpoint: HostEndpoint = {
  hostId: "web-1",
  machineId: "m-1",
  zone: "a",
  address: "127.0.0.2",
  sshPort: 2222,
  sshUser: "forewarm",
  hostKeyFingerprint: `SHA256:${"A".repeat(43)}`,
  servicePort: 8080,
};

interface Played {
  golden: GoldenReference;
  calls: AgentRequest[];
  content: ReturnType<typeof createGoldenContent>;
}

/** A store with these files in one signed manifest, and a host that lacks all of them. */
function play(files: Record<string, Buffer>, { digestOnHost = "golden-digest" } = {}): Played {
  const manifest = {
    version: 1,
    fleet: "web",
    epoch: 1,
    expiresAtMs: 1,
    files: Object.entries(files).map(([path, content]) => ({
      path,
      sha256: sha256(content),
      bytes: content.length,
      mode: "0644",
      owner: null,
      hook: null,
    })),
  };
  const signed = {
    manifest: JSON.stringify(manifest),
    keyId: "0".repeat(64),
    signature: Buffer.alloc(64).toString("base64"),
  };
  const bundle = Buffer.from(JSON.stringify(signed));
  const blobs = new Map([bundle, ...Object.values(files)].map((content) => [sha256(content), content]));
  const calls: AgentRequest[] = [];
  const store: Pick<Store, "blob"> = { blob: async (digest) => blobs.get(digest) ?? null };
  const channel: Pick<NodeChannel, "call"> = {
    async call(_, request) {
      calls.push(request);
      const answers = {
        missing: { sha256: request.op === "missing" ? request.sha256 : [] },
        install: { digest: digestOnHost, hooks: ["reload"] },
      };
      return (answers[request.op as keyof typeof answers] ?? {}) as never;
    },
  };
  const content = createGoldenContent({ store: store as Store, channel: channel as NodeChannel });
  const golden = { ...goldenOf(1, "golden-digest"), bundle: sha256(bundle) };
  return { golden, calls, content };
}

describe("golden content on its way to a host", () => {
  test("goes in chunks that fit, in order, and is whole on the other side", async () => {
    const big = Buffer.alloc(limits.blobChunkBytesMax * 2 + 17, "forewarm");
    const { golden, calls, content } = play({ "big.bin": big });
    await asActivity(() => content.stage(endpoint, golden));
    const puts = calls.filter((call) => call.op === "put");
    expect(puts.map(({ index, count }) => [index, count])).toEqual([
      [0, 3],
      [1, 3],
      [2, 3],
    ]);
    const parts = puts.map((put) => Buffer.from(put.content, "base64"));
    expect(Math.max(...parts.map((part) => part.length))).toBe(limits.blobChunkBytesMax);
    expect(sha256(Buffer.concat(parts))).toBe(sha256(big));
  });

  test("an empty file is one empty chunk; equal files travel once", async () => {
    const { golden, calls, content } = play({
      "empty.txt": Buffer.alloc(0),
      "a.txt": Buffer.from("same"),
      "b.txt": Buffer.from("same"),
    });
    await asActivity(() => content.stage(endpoint, golden));
    const puts = calls.filter((call) => call.op === "put");
    expect(puts.map((put) => [put.count, put.content])).toEqual([
      [1, ""],
      [1, Buffer.from("same").toString("base64")],
    ]);
  });

  test("content that the store lacks is named, and nothing is sent in its place", async () => {
    const { golden, content } = play({});
    const lost = content.stage.bind(null, endpoint, { ...golden, bundle: "f".repeat(64) });
    await expect(asActivity(lost)).rejects.toMatchObject({
      code: "NOT_FOUND",
      message: expect.stringContaining("epoch 1"),
    });
  });

  test("an install answers with its hooks, and a host that then holds something else is refused", async () => {
    const good = play({});
    expect(await asActivity(() => good.content.install(endpoint, { golden: good.golden, fence: 4 }))).toMatchObject({
      hooks: ["reload"],
    });
    expect(good.calls.at(-1)).toMatchObject({ op: "install", fence: 4 });
    const wrong = play({}, { digestOnHost: "something else" });
    const install = asActivity(() => wrong.content.install(endpoint, { golden: wrong.golden, fence: 4 }));
    await expect(install).rejects.toMatchObject({ code: "DIGEST_MISMATCH" });
  });
});
