import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { manifestDigest } from "../configuration/manifest-digest.ts";
import { openManifest } from "../configuration/sign-manifest.ts";
import { ForewarmError } from "../domain/errors.ts";
import type { AgentRequest, AgentResponseOf } from "../schema/agent-protocol.ts";
import type { GoldenManifest, ManifestFile } from "../schema/golden-manifest.ts";
import type { Blobs } from "./blobs.ts";
import type { Crash } from "./crash-point.ts";
import { isMissing } from "./durable-file.ts";
import type { Fence } from "./fence.ts";
import { type Generation, type Generations, hookNames } from "./generations.ts";
import { sha256Hex } from "./live-files.ts";
import type { Outbox } from "./outbox.ts";
import { type HostSettings, readSettings } from "./settings.ts";

export type InstallRequest = Extract<AgentRequest, { op: "install" }>;
export type InstallResult = AgentResponseOf<InstallRequest>;

export interface InstallDeps {
  stateFolder: string;
  fence: Fence;
  blobs: Blobs;
  generations: Generations;
  outbox: Outbox;
  crash: Crash;
  now: () => number;
}

/**
 * Puts a signed manifest in force. A crash at any point leaves the old or the new generation in force, and the same
 * request then succeeds. Throws MANIFEST_REFUSED, MANIFEST_EXPIRED, FENCE_REFUSED or DIGEST_MISMATCH.
 */
export async function install(deps: InstallDeps, { fence, signed }: InstallRequest): Promise<InstallResult> {
  const settings = await readSettings(deps.stateFolder);
  const manifest = openManifest(signed, settings.keys);
  requireAllowed(manifest, settings, deps.now());
  const digest = manifestDigest(manifest, sha256Hex);
  const before = await deps.generations.inForce();
  const sameFence = deps.fence.highest().fence === fence;
  requireNewerOrEqual(manifest, digest, { before, epochMax: deps.fence.highest().epochMax });
  await deps.fence.admitInstall({ fence, digest, epoch: manifest.epoch });
  deps.crash("after-fence");

  const live = await deps.generations.live();
  const result = { epoch: manifest.epoch, digest };
  if (before?.digest === digest && before.manifest.epoch === manifest.epoch) {
    if (sameFence || live.digest === digest) {
      // The first answer under this fence may have been lost, so what it asked for is asked again.
      return { ...result, changed: false, hooks: before.fence === fence ? before.hooks : [] };
    }
  }
  const hooks = hooksOf(live.files, manifest.files);
  const contentOf = (file: ManifestFile) => findContent(deps.blobs, before, file);
  await deps.generations.activate({ fence, signed, manifest, hooks, contentOf });
  await deps.outbox.append("generation-switched", { ...result, fence });
  for (const { sha256 } of manifest.files) await deps.blobs.remove(sha256);
  await deps.blobs.removeStale();
  return { ...result, changed: true, hooks };
}

function requireAllowed(manifest: GoldenManifest, settings: HostSettings, nowMs: number): void {
  if (manifest.fleet !== settings.fleet) {
    throw refused(`it is for fleet ${manifest.fleet}, this host belongs to ${settings.fleet}`);
  }
  const forbidden = manifest.files.find(({ hook }) => hook !== null && !settings.hooks.includes(hook));
  if (forbidden !== undefined) throw refused(`${forbidden.path}: hook ${forbidden.hook} is not allowed on this host`);
  if (manifest.expiresAtMs > nowMs) return;
  const expiredAt = new Date(manifest.expiresAtMs).toISOString();
  throw new ForewarmError("MANIFEST_EXPIRED", `the manifest of epoch ${manifest.epoch} expired at ${expiredAt}`);
}

/** An older epoch is a replay, unless it asks for exactly what is in force (a repair). */
function requireNewerOrEqual(
  manifest: GoldenManifest,
  digest: string,
  held: { before: Generation | null; epochMax: number },
): void {
  if (manifest.epoch >= held.epochMax || digest === held.before?.digest) return;
  throw refused(`epoch ${manifest.epoch} is older than ${held.epochMax}, the highest this host accepted`);
}

/** From the content that was sent, else from the unchanged file in force. */
async function findContent(blobs: Blobs, before: Generation | null, file: ManifestFile): Promise<Buffer> {
  const sent = await readVerified(blobs.pathOf(file.sha256), file.sha256);
  if (sent === "differs") await blobs.remove(file.sha256);
  else if (sent !== "missing") return sent;
  for (const held of before?.manifest.files ?? []) {
    if (before === null || held.sha256 !== file.sha256) continue;
    const content = await readVerified(join(before.folder, held.path), file.sha256);
    if (content !== "missing" && content !== "differs") return content;
  }
  throw new ForewarmError("DIGEST_MISMATCH", `${file.path}: content ${file.sha256} is not on this host (${sent})`);
}

/** Those of the digests whose content is neither waiting nor in force here. */
export async function findMissing(
  deps: Pick<InstallDeps, "blobs" | "generations">,
  wanted: readonly string[],
): Promise<string[]> {
  const live = new Map((await deps.generations.live()).files.map((file) => [file.path, file.sha256]));
  const assigned = (await deps.generations.inForce())?.manifest.files ?? [];
  const intact = new Set(assigned.filter((file) => live.get(file.path) === file.sha256).map((file) => file.sha256));
  const missing: string[] = [];
  for (const sha256 of wanted) {
    if (!intact.has(sha256) && !(await deps.blobs.has(sha256))) missing.push(sha256);
  }
  return missing;
}

async function readVerified(path: string, sha256: string): Promise<Buffer | "missing" | "differs"> {
  try {
    const content = await readFile(path);
    return sha256Hex(content) === sha256 ? content : "differs";
  } catch (error) {
    if (isMissing(error)) return "missing";
    throw error;
  }
}

/** Hooks of the files that differ between what was on the disk and what is now in force. */
function hooksOf(before: readonly ManifestFile[], after: readonly ManifestFile[]): InstallResult["hooks"] {
  const held = new Map(before.map((file) => [file.path, `${file.sha256} ${file.mode}`]));
  const wanted = new Map(after.map((file) => [file.path, `${file.sha256} ${file.mode}`]));
  const touched = [
    ...after.filter((file) => held.get(file.path) !== wanted.get(file.path)),
    ...before.filter((file) => !wanted.has(file.path)),
  ];
  return hookNames.filter((hook) => touched.some((file) => file.hook === hook));
}

function refused(reason: string): ForewarmError {
  return new ForewarmError("MANIFEST_REFUSED", `the manifest is refused: ${reason}`);
}
