import { execFile } from "node:child_process";
import { createWriteStream } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { z } from "zod";
import { adopt, firstLine } from "./executable.ts";
import type { Rung, RungContext, RungOutcome } from "./rung.ts";

/** Where the Temporal SDKs fetch the CLI for their test servers. */
export const sdkDownloadEndpoint = "https://temporal.download/cli/default";

const run = promisify(execFile);
const answerTimeoutMs = 5_000;
const archiveTimeoutMs = 180_000;
const answerSchema = z.object({ archiveUrl: z.url(), fileToExtract: z.string().regex(/^[\w.-]+$/) });
const architectures: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

/** Fetches the CLI into the cache; fails at once without a network. */
export const downloadRung: Rung = {
  name: "download",
  async tryRung(context) {
    const architecture = architectures[process.arch];
    if (architecture === undefined) return { said: `no build for ${process.arch}` };
    const query = new URLSearchParams({ arch: architecture, platform: process.platform, format: "tar.gz" });
    try {
      return await fetchInto(`${context.downloadEndpoint}?${query.toString()}`, context);
    } catch (error) {
      context.signal.throwIfAborted();
      return { said: `${new URL(context.downloadEndpoint).host}: ${causeOf(error)}` };
    }
  },
};

async function fetchInto(url: string, context: RungContext): Promise<RungOutcome> {
  const answer = answerSchema.parse(await (await fetchOk(url, context, answerTimeoutMs)).json());
  context.onProgress(`downloading the Temporal CLI from ${new URL(answer.archiveUrl).host} (about 60 MB, once)`);
  await mkdir(context.cacheFolder, { recursive: true });
  const folder = await mkdtemp(join(context.cacheFolder, "download-"));
  try {
    const archive = join(folder, "archive.tar.gz");
    await fetchFile({ url: answer.archiveUrl, file: archive }, context);
    await run("tar", ["-xzf", archive, "-C", folder, answer.fileToExtract], { signal: context.signal });
    return await adopt(join(folder, answer.fileToExtract), context);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function fetchFile({ url, file }: { url: string; file: string }, context: RungContext): Promise<void> {
  const response = await fetchOk(url, context, archiveTimeoutMs);
  if (response.body === null) throw new Error("the archive is empty");
  await pipeline(Readable.fromWeb(response.body), createWriteStream(file));
}

async function fetchOk(url: string, { signal }: RungContext, timeoutMs: number): Promise<Response> {
  const response = await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]) });
  if (!response.ok) throw new Error(`answered ${response.status}`);
  return response;
}

// fetch says "fetch failed" and keeps what happened in the cause.
function causeOf(error: unknown): string {
  return error instanceof Error && error.cause instanceof Error ? firstLine(error.cause) : firstLine(error);
}
