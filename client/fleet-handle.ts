import { randomUUID } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import type { Client, WorkflowHandle } from "@temporalio/client";
import {
  isGrpcServiceError,
  WithStartWorkflowOperation,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
} from "@temporalio/client";
import { ApplicationFailure, TypedSearchAttributes } from "@temporalio/common";
import type { ErrorCode } from "../domain/errors.ts";
import { errorCatalogue, ForewarmError } from "../domain/errors.ts";
import type { FleetDescription, HostDescription } from "../domain/host/describe-fleet.ts";
import { limits } from "../domain/limits.ts";
import type { FleetTemplate } from "../schema/fleet-template.ts";
import type {
  ApplyTemplateAnswer,
  ApplyTemplateRequest,
  ClaimAnswer,
  HostAnswer,
  LookUpAnswer,
  LookUpRequest,
  ReleaseAnswer,
} from "../workflows/messages.ts";
import * as messages from "../workflows/messages.ts";
import { searchAttributes } from "../workflows/search-attributes.ts";
import { createLimit } from "./limit.ts";

/** The messages of one fleet, as functions. Errors are ForewarmError, also those a fleet refuses with. */
export interface FleetHandle {
  workflowId: string;
  apply: (request: ApplyTemplateRequest) => Promise<ApplyTemplateAnswer>;
  claim: (claimId: string) => Promise<ClaimAnswer>;
  release: (claimId: string) => Promise<ReleaseAnswer>;
  promote: (hostId: string) => Promise<HostAnswer>;
  demote: (hostId: string) => Promise<HostAnswer>;
  cordon: (hostId: string) => Promise<HostAnswer>;
  uncordon: (hostId: string) => Promise<HostAnswer>;
  replace: (hostId: string) => Promise<HostAnswer>;
  /** Totals and all hosts, page after page. */
  describe: () => Promise<FleetDescription>;
  template: () => Promise<FleetTemplate | null>;
  lookUp: (request: Omit<LookUpRequest, "fleet">) => Promise<LookUpAnswer>;
}

const hostsPerPage = 200;

function isErrorCode(code: string): code is ErrorCode {
  return code in errorCatalogue;
}

/** The code that the fleet or one of its activities failed with; it lies below Temporal's own failures. */
function refusalIn(error: unknown): { code: ErrorCode; message: string } | null {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof ApplicationFailure && isErrorCode(cause.type ?? ""))
      return { code: cause.type as ErrorCode, message: cause.message };
  }
  return null;
}

function asForewarmError(error: unknown, fleet: string): unknown {
  if (error instanceof WorkflowNotFoundError) {
    return new ForewarmError("FLEET_UNKNOWN", `there is no fleet ${fleet}`, { cause: error });
  }
  const refusal = refusalIn(error);
  if (refusal !== null) return new ForewarmError(refusal.code, refusal.message, { cause: error });
  if (error instanceof Error && isGrpcServiceError(error.cause)) {
    return new ForewarmError(
      "TEMPORAL_UNREACHABLE",
      `Temporal did not answer: ${error.cause.details || error.message}`,
      {
        cause: error,
      },
    );
  }
  return error;
}

const unprocessedTriesMax = 8;
const unprocessedDelayMs = 40;

/**
 * With many updates in flight from several clients the server drops some unprocessed. Claims and releases carry an id,
 * so that sending them again is harmless.
 */
async function untilProcessed<Answer>(send: () => Promise<Answer>): Promise<Answer> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await send();
    } catch (error) {
      const cause = error instanceof WorkflowUpdateFailedError ? error.cause : null;
      const dropped = cause instanceof ApplicationFailure && cause.type === "UnprocessedUpdate";
      if (!dropped || attempt === unprocessedTriesMax) throw error;
      await wait(unprocessedDelayMs * attempt * (0.5 + Math.random()));
    }
  }
}

async function describeAll(handle: WorkflowHandle): Promise<FleetDescription> {
  const first = await handle.query(messages.describeQuery, { after: 0, limit: hostsPerPage });
  const hosts: HostDescription[] = [...first.hosts];
  for (let after = first.next; after !== null;) {
    const page = await handle.query(messages.describeQuery, { after, limit: hostsPerPage });
    hosts.push(...page.hosts);
    after = page.next;
  }
  return { ...first, hosts, next: null };
}

function startOperation(fleet: string): WithStartWorkflowOperation<(args: { fleet: string }) => Promise<void>> {
  return new WithStartWorkflowOperation(messages.workflowNames.fleet, {
    workflowId: messages.workflowIds.fleet(fleet),
    taskQueue: messages.taskQueues.workflows,
    args: [{ fleet }],
    workflowIdConflictPolicy: "USE_EXISTING",
    workflowTaskTimeout: "2s",
    staticSummary: `fleet ${fleet}`,
    staticDetails: "Keeps verified hosts ready before demand arrives. `describe` answers counts, targets and hosts.",
    typedSearchAttributes: new TypedSearchAttributes([{ key: searchAttributes.fleet, value: fleet }]),
  });
}

/** Talks to one fleet. At most 8 updates are in flight: more stall in the server for seconds. */
export function openFleet(client: Client, fleet: string): FleetHandle {
  const workflowId = messages.workflowIds.fleet(fleet);
  const handle = client.workflow.getHandle(workflowId);
  const limited = createLimit(limits.claimsInFlightPerFleetMax);
  const told = <Answer>(work: Promise<Answer>): Promise<Answer> =>
    work.catch((error: unknown) => {
      throw asForewarmError(error, fleet);
    });
  return {
    workflowId,
    apply: (request) =>
      told(
        client.workflow.executeUpdateWithStart(messages.applyTemplateUpdate, {
          args: [request],
          startWorkflowOperation: startOperation(fleet),
        }),
      ),
    claim: (claimId) =>
      limited(() => told(untilProcessed(() => handle.executeUpdate(messages.claimUpdate, { args: [{ claimId }] })))),
    release: (claimId) =>
      limited(() => told(untilProcessed(() => handle.executeUpdate(messages.releaseUpdate, { args: [{ claimId }] })))),
    promote: (hostId) => told(handle.executeUpdate(messages.promoteUpdate, { args: [{ hostId }] })),
    demote: (hostId) => told(handle.executeUpdate(messages.demoteUpdate, { args: [{ hostId }] })),
    cordon: (hostId) => told(handle.executeUpdate(messages.cordonUpdate, { args: [{ hostId }] })),
    uncordon: (hostId) => told(handle.executeUpdate(messages.uncordonUpdate, { args: [{ hostId }] })),
    replace: (hostId) => told(handle.executeUpdate(messages.replaceUpdate, { args: [{ hostId }] })),
    describe: () => told(describeAll(handle)),
    template: () => told(handle.query(messages.templateQuery)),
    lookUp: (request) =>
      told(
        client.workflow.execute(messages.workflowNames.lookUp, {
          workflowId: `look-up/${fleet}/${request.table}/${randomUUID()}`,
          taskQueue: messages.taskQueues.workflows,
          args: [{ ...request, fleet }],
          staticSummary: `read ${request.table} of ${fleet}`,
        }),
      ),
  };
}
