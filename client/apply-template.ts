import type { Client } from "@temporalio/client";
import { isForewarmError } from "../domain/errors.ts";
import type { FleetDescription } from "../domain/host/describe-fleet.ts";
import type { GoldenReference } from "../domain/host/fleet-state.ts";
import type { ApplyTemplateAnswer } from "../workflows/messages.ts";
import type { FleetHandle } from "./fleet-handle.ts";
import { openFleet } from "./fleet-handle.ts";
import type { SigningKey } from "./golden-bundle.ts";
import { goldenDigest, sendBlobs, signGolden } from "./golden-bundle.ts";
import type { TemplateFile } from "./template-file.ts";

/** The fleet as it is now, or null when there is none of that name. */
export async function describeIfExists(fleet: FleetHandle): Promise<FleetDescription | null> {
  return fleet.describe().catch((error: unknown) => {
    if (isForewarmError(error) && error.code === "FLEET_UNKNOWN") return null;
    throw error;
  });
}

/** The golden that is in force or on its way, if its content is what the template asks for. */
export function unchangedGolden(current: FleetDescription | null, digest: string): GoldenReference | null {
  const wanted = current?.goldenChange?.to ?? current?.golden ?? null;
  return wanted?.digest === digest ? wanted : null;
}

/** Hosts will take it for long enough, and trust who signed it. */
function isStillGood(golden: GoldenReference, { file, key }: { file: TemplateFile; key: SigningKey }): boolean {
  const halfMs = (file.template.golden.valid_hours * 3_600_000) / 2;
  return golden.keyId === key.keyId && golden.expiresAtMs - Date.now() > halfMs;
}

/**
 * Signs the template's golden configuration as a new epoch if its content changed, half of its validity is over or
 * another key signs now, stores it, and sends the template
 * to its fleet, which is started when it does not exist.
 */
export async function applyTemplate(
  client: Client,
  { file, key }: { file: TemplateFile; key: SigningKey },
): Promise<ApplyTemplateAnswer> {
  const fleet = openFleet(client, file.template.fleet);
  const current = await describeIfExists(fleet);
  const signingKeys = [key.publicKey];
  const unchanged = unchangedGolden(current, goldenDigest(file));
  if (unchanged !== null && isStillGood(unchanged, { file, key }))
    return fleet.apply({ template: file.template, golden: unchanged, signingKeys });
  const epoch = Math.max(current?.golden?.epoch ?? 0, current?.goldenChange?.to.epoch ?? 0) + 1;
  const { reference, blobs } = signGolden(file, { epoch, key });
  await sendBlobs(client, { fleet: file.template.fleet, blobs });
  return fleet.apply({ template: file.template, golden: reference, signingKeys });
}
