import { existsSync, readFileSync } from "node:fs";
import { z } from "zod";

const relativeTolerance = 1e-9;

const claimsSchema = z.object({
  kind: z.literal("bench-claims"),
  claims: z.array(z.object({ name: z.string(), value: z.number() })),
});
const eventSchema = z.record(z.string(), z.unknown());

type Recompute = (events: Record<string, unknown>[]) => Record<string, number>;

async function loadRecompute(name: string): Promise<Recompute> {
  const url = new URL(`./recompute/${name}.ts`, import.meta.url);
  if (!/^[a-z][a-z0-9-]*$/.test(name) || !existsSync(url)) throw new Error(`there is no bench/recompute/${name}.ts`);
  const module = (await import(url.href)) as { recompute?: Recompute };
  if (module.recompute === undefined) throw new Error(`bench/recompute/${name}.ts does not export recompute`);
  return module.recompute;
}

function readRun(path: string) {
  if (!existsSync(path)) throw new Error(`there is no ${path}; run the bench first`);
  const lines = readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line !== "");
  const last = claimsSchema.safeParse(JSON.parse(lines.at(-1) ?? "null"));
  if (!last.success) throw new Error(`${path} does not end with its claims: the run was cut off`);
  return { claims: last.data.claims, events: lines.slice(1, -1).map((line) => eventSchema.parse(JSON.parse(line))) };
}

function agrees(claimed: number | undefined, recomputed: number | undefined): boolean {
  if (claimed === undefined || recomputed === undefined) return false;
  return Math.abs(claimed - recomputed) <= relativeTolerance * Math.max(Math.abs(claimed), Math.abs(recomputed));
}

/** One claim as the bench said it and as the raw events say it. */
export interface Comparison {
  claim: string;
  claimed: number | undefined;
  recomputed: number | undefined;
  same: boolean;
}

/** Compares a run's claims with those derived again; throws when the run was cut off or nothing can derive it. */
export async function recomputeRun(name: string, path: string): Promise<Comparison[]> {
  const recompute = await loadRecompute(name);
  const { claims, events } = readRun(path);
  const again = recompute(events);
  const names = [...new Set([...claims.map((claim) => claim.name), ...Object.keys(again)])];
  return names.map((claim) => {
    const claimed = claims.find((candidate) => candidate.name === claim)?.value;
    const recomputed = again[claim];
    return { claim, claimed, recomputed, same: agrees(claimed, recomputed) };
  });
}
