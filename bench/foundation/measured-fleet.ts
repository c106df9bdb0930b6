import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { applyTemplate } from "../../client/apply-template.ts";
import { openFleet, type FleetHandle } from "../../client/fleet-handle.ts";
import { readSigningKey } from "../../client/golden-bundle.ts";
import { readTemplateFile, type TemplateFile } from "../../client/template-file.ts";
import type { FleetDescription } from "../../domain/host/describe-fleet.ts";
import type { FleetTemplate } from "../../schema/fleet-template.ts";
import type { MeasuredStack } from "./measured-stack.ts";
import { packageRoot } from "./program.ts";

export const fleetName = "bench";
/** Hosts that serve from the start and carry the load while others are claimed. */
export const servingHosts = 4;
const hostsMax = 120;
/** High enough that the load never asks for more hosts: the bench alone claims. */
const perHost = 100_000;
const pollMs = 100;

/** Warm hosts wanted, and the most hosts there may be. */
export interface PoolSize {
  standby: number;
  hostsMax?: number;
}

/** A fleet of the example's web servers that answers fast and is sized by the bench alone. */
export interface MeasuredFleet {
  handle: FleetHandle;
  stack: MeasuredStack;
  /** Where users connect. */
  endpoint: string;
  resize: (size: PoolSize) => Promise<void>;
  /** Polls the fleet until it is as wanted. Throws after `seconds` with what it was instead. */
  until: (wanted: (fleet: FleetDescription) => boolean, seconds: number) => Promise<FleetDescription>;
  /** All rows of the lead-time ledger or of the claims. */
  rows: (table: "lead_times" | "claims") => Promise<unknown[]>;
}

function benchRules(template: FleetTemplate, size: PoolSize): FleetTemplate {
  return {
    ...template,
    fleet: fleetName,
    demand: { ...template.demand, step_seconds: 1, per_host: perHost },
    forecast: { ...template.forecast, enabled: false },
    capacity: {
      ...template.capacity,
      mode: "act",
      min_serving: servingHosts,
      max_hosts: size.hostsMax ?? hostsMax,
    },
    standby: { min: size.standby, max: size.standby },
    load_balancer: { ...template.load_balancer, drain_deadline_seconds: 5 },
  };
}

async function benchTemplate(size: PoolSize): Promise<TemplateFile> {
  const file = await readTemplateFile(join(packageRoot, "examples", "fleets", "web.yaml"));
  const workload = { slots: 64, service_ms: 1, cpu_ms: 0.1, greeting: "Hello" };
  const content = Buffer.from(`${JSON.stringify(workload)}\n`);
  const files = file.files.map((golden) => (golden.path === "web.json" ? { ...golden, content } : golden));
  return { ...file, template: benchRules(file.template, size), files };
}

function summary({ counts, claimable, waiting, notices }: FleetDescription): string {
  return JSON.stringify({ counts, claimable, waiting, notices: notices.slice(-3) });
}

async function pollUntil(
  handle: FleetHandle,
  wanted: (fleet: FleetDescription) => boolean,
  seconds: number,
): Promise<FleetDescription> {
  const deadlineMs = performance.now() + seconds * 1000;
  for (;;) {
    const fleet = await handle.describe();
    if (wanted(fleet)) return fleet;
    if (performance.now() > deadlineMs) throw new Error(`the fleet was not ready in ${seconds} s: ${summary(fleet)}`);
    await delay(pollMs);
  }
}

async function allRows(handle: FleetHandle, table: "lead_times" | "claims"): Promise<unknown[]> {
  const rows: unknown[] = [];
  for (let after: number | null = 0; after !== null;) {
    const page = await handle.lookUp({ table, after });
    rows.push(...page.rows);
    after = page.next;
  }
  return rows;
}

/** Applies the bench's fleet and waits until its first hosts serve. */
export async function startFleet(stack: MeasuredStack): Promise<MeasuredFleet> {
  const handle = openFleet(stack.session.client, fleetName);
  const key = readSigningKey(stack.signingKeyPath);
  const resize = async (size: PoolSize): Promise<void> => {
    await applyTemplate(stack.session.client, { file: await benchTemplate(size), key });
  };
  const until: MeasuredFleet["until"] = (wanted, seconds) => pollUntil(handle, wanted, seconds);
  await resize({ standby: 0 });
  const ready = await until(({ counts, endpoint }) => counts.serving === servingHosts && endpoint !== null, 120);
  return { handle, stack, endpoint: ready.endpoint ?? "", resize, until, rows: (table) => allRows(handle, table) };
}
