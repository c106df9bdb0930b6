import { createHash, createPrivateKey, createPublicKey, randomUUID, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Client } from "@temporalio/client";
import { manifestDigest } from "../configuration/manifest-digest.ts";
import { signManifest } from "../configuration/sign-manifest.ts";
import { ForewarmError } from "../domain/errors.ts";
import type { GoldenReference } from "../domain/host/fleet-state.ts";
import { limits } from "../domain/limits.ts";
import type { GoldenManifest } from "../schema/golden-manifest.ts";
import type { BlobChunk, KeepBlobsAnswer } from "../workflows/messages.ts";
import { taskQueues, workflowNames } from "../workflows/messages.ts";
import type { TemplateFile } from "./template-file.ts";

export interface SigningKey {
  /** Raw 32-byte public key, base64: what hosts are told to accept. */
  publicKey: string;
  keyId: string;
  sign: (text: string) => string;
}

/** The golden configuration of a template: signed manifest and contents, addressed by their digests. */
export interface GoldenBundle {
  reference: GoldenReference;
  blobs: Map<string, Buffer>;
}

const rawPublicKeyBytes = 32;
const hourMs = 3_600_000;

export function sha256Hex(content: Buffer | string): string {
  return createHash("sha256").update(content).digest("hex");
}

/** Reads an Ed25519 private key in PEM. Throws UNAUTHORIZED naming the file. */
export function readSigningKey(path: string): SigningKey {
  try {
    const key = createPrivateKey(readFileSync(path));
    if (key.asymmetricKeyType !== "ed25519") throw new Error(`it is of type ${key.asymmetricKeyType}`);
    const raw = createPublicKey(key).export({ type: "spki", format: "der" }).subarray(-rawPublicKeyBytes);
    return {
      publicKey: raw.toString("base64"),
      keyId: sha256Hex(raw),
      sign: (text) => sign(null, Buffer.from(text), key).toString("base64"),
    };
  } catch (error) {
    throw new ForewarmError("UNAUTHORIZED", `${path} is not a readable Ed25519 private key`, {
      cause: error,
      cure: "Start the stack once with `forewarm up`, which makes a key, or give one with --signing-key.",
    });
  }
}

function manifestOf({ template, files }: TemplateFile, epoch: number): GoldenManifest {
  return {
    version: 1,
    fleet: template.fleet,
    epoch,
    expiresAtMs: Date.now() + Math.round(template.golden.valid_hours * hourMs),
    files: files.map(({ path, mode, hook, content }) => ({
      path,
      sha256: sha256Hex(content),
      bytes: content.length,
      mode,
      owner: null,
      hook,
    })),
  };
}

/** Digest of the content a template asks for, whatever its epoch. */
export function goldenDigest(file: TemplateFile): string {
  return manifestDigest(manifestOf(file, 1), sha256Hex);
}

/** Signs the template's golden configuration as an epoch. */
export function signGolden(file: TemplateFile, request: { epoch: number; key: SigningKey }): GoldenBundle {
  const manifest = manifestOf(file, request.epoch);
  const bundle = Buffer.from(JSON.stringify(signManifest(manifest, request.key)));
  const blobs = new Map(file.files.map(({ content }) => [sha256Hex(content), content]));
  blobs.set(sha256Hex(bundle), bundle);
  const reference = {
    epoch: request.epoch,
    digest: manifestDigest(manifest, sha256Hex),
    bundle: sha256Hex(bundle),
    expiresAtMs: manifest.expiresAtMs,
    keyId: request.key.keyId,
  };
  return { reference, blobs };
}

function chunksOf(sha256: string, content: Buffer): BlobChunk[] {
  const size = limits.blobChunkBytesMax;
  const count = Math.max(1, Math.ceil(content.length / size));
  return Array.from({ length: count }, (_, index) => ({
    sha256,
    index,
    count,
    content: content.subarray(index * size, (index + 1) * size).toString("base64"),
  }));
}

/** Groups chunks so that one workflow run carries about one full chunk. */
function batchesOf(chunks: BlobChunk[]): BlobChunk[][] {
  const batches: BlobChunk[][] = [];
  let bytes = Infinity;
  for (const chunk of chunks) {
    bytes += chunk.content.length;
    if (bytes > limits.blobChunkBytesMax) {
      batches.push([]);
      bytes = chunk.content.length;
    }
    batches.at(-1)?.push(chunk);
  }
  return batches;
}

/** Sends the blobs that the store lacks; each is checked against its digest there. */
export async function sendBlobs(
  client: Client,
  { fleet, blobs }: { fleet: string; blobs: Map<string, Buffer> },
): Promise<void> {
  const digests = [...blobs.keys()];
  const keep = async (chunks: BlobChunk[]): Promise<KeepBlobsAnswer> =>
    client.workflow.execute<(request: object) => Promise<KeepBlobsAnswer>>(workflowNames.keepBlobs, {
      workflowId: `keep-blobs/${fleet}/${randomUUID()}`,
      taskQueue: taskQueues.workflows,
      args: [{ digests, chunks }],
      staticSummary: `store ${chunks.length} chunks of golden content`,
    });
  const { missing } = await keep([]);
  const chunks = missing.flatMap((sha256) => chunksOf(sha256, blobs.get(sha256) ?? Buffer.alloc(0)));
  for (const batch of batchesOf(chunks)) await keep(batch);
}
