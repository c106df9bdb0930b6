import { defineQuery, defineSignal, defineUpdate } from "@temporalio/workflow";
import type { FleetDescription } from "../domain/host/describe-fleet.ts";
import type {
  BootstrapOutcome,
  CompactFleetState,
  GoldenReference,
  UpdateOutcome,
} from "../domain/host/fleet-state.ts";
import type { HostState } from "../domain/host/host-state.ts";
import type { GrantRow } from "../activities/traffic.ts";
import type { FleetTemplate } from "../schema/fleet-template.ts";

/** Argument of the `fleet` workflow; a new fleet starts with the name alone and waits for `applyTemplate`. */
export interface FleetArguments {
  fleet: string;
  state?: CompactFleetState;
  /** Answered claims whose record has not reached the store yet. */
  grantRows?: GrantRow[];
  /** A run continues as new at this many events; default `limits.fleetHistoryEventsMax`. */
  historyEventsMax?: number;
}

export interface ApplyTemplateRequest {
  template: FleetTemplate;
  golden: GoldenReference;
  /** Raw Ed25519 public keys, base64, that hosts of this fleet accept golden configurations from. */
  signingKeys: string[];
}
export interface ApplyTemplateAnswer {
  templateVersion: number;
  /** False when template and golden were in force already. */
  changed: boolean;
  goldenEpoch: number;
}

export interface ClaimRequest {
  claimId: string;
}
export type ClaimAnswer =
  | { kind: "granted"; hostId: string; epoch: number }
  | { kind: "queued"; position: number; ttaSeconds: number | null };

export interface HostRequest {
  hostId: string;
}
export interface HostAnswer {
  hostId: string;
  state: HostState;
}
export interface ReleaseRequest {
  claimId: string;
}
export interface ReleaseAnswer {
  claimId: string;
  /** The host on its way back to standby; null when the claim was still waiting. */
  hostId: string | null;
}

export interface DescribeRequest {
  /** Ordinal of the last host of the page before; 0 for the first page. */
  after: number;
  limit: number;
}
export const applyTemplateUpdate = defineUpdate<ApplyTemplateAnswer, [ApplyTemplateRequest]>("applyTemplate");
export const claimUpdate = defineUpdate<ClaimAnswer, [ClaimRequest]>("claim");
export const releaseUpdate = defineUpdate<ReleaseAnswer, [ReleaseRequest]>("release");
export const promoteUpdate = defineUpdate<HostAnswer, [HostRequest]>("promote");
export const demoteUpdate = defineUpdate<HostAnswer, [HostRequest]>("demote");
/** Holds a host back: it is not claimed, updated, demoted or retired until `uncordon`. */
export const cordonUpdate = defineUpdate<HostAnswer, [HostRequest]>("cordon");
/** Gives a host back to its fleet; one in quarantine is verified first. */
export const uncordonUpdate = defineUpdate<HostAnswer, [HostRequest]>("uncordon");
/** Destroys a host and lets another take its place; one that serves leaves once the others suffice. */
export const replaceUpdate = defineUpdate<HostAnswer, [HostRequest]>("replace");
/** The template in force; null before the first. */
export const templateQuery = defineQuery<FleetTemplate | null>("template");
export const describeQuery = defineQuery<FleetDescription, [DescribeRequest]>("describe");

export const bootstrapEndedSignal = defineSignal<[BootstrapOutcome]>("bootstrapEnded");
export const updateEndedSignal = defineSignal<[UpdateOutcome]>("updateEnded");
export const retireEndedSignal = defineSignal<[{ hostId: string }]>("retireEnded");
export const hostLostSignal = defineSignal<[{ hostId: string; reason: string }]>("hostLost");

/** Argument of `bootstrapHost`; everything it needs to know, so that it never asks its fleet. */
export interface BootstrapArguments {
  fleet: string;
  hostId: string;
  ordinal: number;
  zone: string;
  requestId: string;
  batchOrdinal: number;
  decidedAtMs: number;
  fence: number;
  golden: GoldenReference;
  signingKeys: string[];
  template: FleetTemplate;
}
export interface BootstrapDescription {
  hostId: string;
  phase: string;
  startedAtMs: number;
  phases: { phase: string; seconds: number }[];
}
export const describeBootstrapQuery = defineQuery<BootstrapDescription>("describe");

/** Argument of `updateHost`: make a host hold the golden and prove it, drained first when it leaves serving. */
export interface UpdateHostArguments {
  fleet: string;
  hostId: string;
  reason: "refresh" | "update" | "demote" | "uncordon";
  drain: boolean;
  /** Null when the host holds the golden already and only has to be verified. */
  install: { fence: number } | null;
  golden: GoldenReference;
  signingKeys: string[];
  template: FleetTemplate;
}

export interface RetireArguments {
  fleet: string;
  hostId: string;
  drain: boolean;
  drainDeadlineSeconds: number;
}

/** What `lookUp` reads; one table, paged. */
export interface LookUpRequest {
  table: "hosts" | "claims" | "decisions" | "forecasts" | "events" | "lead_times" | "demand";
  fleet: string;
  after?: number;
  limit?: number;
  /** `demand` only. */
  toMs?: number;
  stepMs?: number;
  count?: number;
}
export interface LookUpAnswer {
  /** Rows of the table asked for, as JSON text of at most 64 KiB. */
  rows: unknown[];
  next: number | null;
}

export interface BlobChunk {
  sha256: string;
  index: number;
  count: number;
  /** Base64. */
  content: string;
}
/** `keepBlobs` first answers which blobs are missing, then takes their chunks. */
export interface KeepBlobsRequest {
  digests: string[];
  chunks: BlobChunk[];
}
export interface KeepBlobsAnswer {
  missing: string[];
}

export interface KeepDemandRequest {
  fleet: string;
  startMs: number;
  stepMs: number;
  values: (number | null)[];
}

export const workflowNames = {
  fleet: "fleet",
  bootstrapHost: "bootstrapHost",
  updateHost: "updateHost",
  retireHost: "retireHost",
  lookUp: "lookUp",
  keepBlobs: "keepBlobs",
  keepDemand: "keepDemand",
} as const;

export const taskQueues = {
  workflows: "forewarm-workflows",
  cloud: "forewarm-cloud",
  ssh: "forewarm-ssh",
  ml: "forewarm-ml",
  store: "forewarm-store",
} as const;

/** Workflow ids, as people type them. */
export const workflowIds = {
  fleet: (fleet: string): string => `fleet/${fleet}`,
  bootstrapHost: (fleet: string, hostId: string): string => `bootstrap/${fleet}/${hostId}`,
  updateHost: (fleet: string, hostId: string): string => `update/${fleet}/${hostId}`,
  retireHost: (fleet: string, hostId: string): string => `retire/${fleet}/${hostId}`,
};

/** 1 is most urgent. */
export const priorities = { promote: 2, bootstrap: 3, background: 4 } as const;
