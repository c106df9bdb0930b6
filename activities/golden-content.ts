import { Context } from "@temporalio/activity";
import { ForewarmError } from "../domain/errors.ts";
import type { GoldenReference } from "../domain/host/fleet-state.ts";
import type { HostEndpoint } from "../domain/host/host-endpoint.ts";
import { limits } from "../domain/limits.ts";
import type { NodeChannel } from "../providers/node/node-channel.ts";
import type { Store } from "../providers/store/store.ts";
import type { SignedManifest } from "../schema/golden-manifest.ts";
import { goldenManifestSchema, signedManifestSchema } from "../schema/golden-manifest.ts";

/** The golden configuration on its way to a host: content first, then one atomic switch. */
export interface GoldenContent {
  /** Sends the files the host lacks; nothing changes in force. */
  stage: (endpoint: HostEndpoint, golden: GoldenReference) => Promise<void>;
  /** Switches to the golden under a fence and checks the digest the host answers with. */
  install: (
    endpoint: HostEndpoint,
    args: { golden: GoldenReference; fence: number },
  ) => Promise<{ hooks: ("reload" | "restart")[] }>;
}

async function readSigned(store: Store, golden: GoldenReference): Promise<SignedManifest> {
  const bundle = await store.blob(golden.bundle);
  if (bundle === null)
    throw new ForewarmError("NOT_FOUND", `the store has no signed manifest of epoch ${golden.epoch}`);
  return signedManifestSchema.parse(JSON.parse(bundle.toString("utf8")));
}

function digestsOf(signed: SignedManifest): string[] {
  const manifest = goldenManifestSchema.parse(JSON.parse(signed.manifest));
  return [...new Set(manifest.files.map((file) => file.sha256))];
}

export function createGoldenContent({ store, channel }: { store: Store; channel: NodeChannel }): GoldenContent {
  const options = (): { timeoutMs: number; signal: AbortSignal } => ({
    timeoutMs: 30_000,
    signal: Context.current().cancellationSignal,
  });

  async function sendBlob(endpoint: HostEndpoint, sha256: string): Promise<void> {
    const content = await store.blob(sha256);
    if (content === null)
      throw new ForewarmError("NOT_FOUND", `the store has no golden content ${sha256.slice(0, 12)}`);
    const count = Math.max(1, Math.ceil(content.length / limits.blobChunkBytesMax));
    for (let index = 0; index < count; index += 1) {
      const part = content.subarray(index * limits.blobChunkBytesMax, (index + 1) * limits.blobChunkBytesMax);
      await channel.call(endpoint, { op: "put", sha256, index, count, content: part.toString("base64") }, options());
    }
  }

  return {
    async stage(endpoint, golden) {
      const signed = await readSigned(store, golden);
      const { sha256 } = await channel.call(endpoint, { op: "missing", sha256: digestsOf(signed) }, options());
      for (const digest of sha256) await sendBlob(endpoint, digest);
    },

    async install(endpoint, { golden, fence }) {
      const signed = await readSigned(store, golden);
      const installed = await channel.call(endpoint, { op: "install", fence, signed }, options());
      if (installed.digest !== golden.digest) {
        throw new ForewarmError(
          "DIGEST_MISMATCH",
          `${endpoint.hostId} holds ${installed.digest.slice(0, 12)} after the install`,
        );
      }
      return { hooks: installed.hooks };
    },
  };
}
