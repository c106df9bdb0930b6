import { loadavg } from "node:os";
import { type BenchContext, type Claim, quantile, type Row } from "../harness.ts";

/** What one part of the bench found. */
export interface Part {
  claims: Claim[];
  table: Row[];
}

/** Writes how busy the machine is before a part begins: figures of a shared machine are worth that much less. */
export function begin(context: BenchContext, part: string): void {
  const [oneMinute, fiveMinutes] = loadavg();
  context.event({ kind: "machine-load", part, oneMinute, fiveMinutes });
  context.note(`${part} (load ${oneMinute?.toFixed(1)})`);
}

/** One line of the table: nearest-rank quantiles of some samples. */
export function rowOf(what: string, values: readonly number[], unit: string): Row {
  const samples = values.length;
  if (samples === 0) return { what, samples, p50: "", p99: "", max: "", unit };
  return { what, samples, p50: quantile(values, 0.5), p99: quantile(values, 0.99), max: quantile(values, 1), unit };
}

/** A claim that values stay at or under a bound. */
export function atMost(name: string, value: number, [bound, unit]: [number, string]): Claim {
  return { name, value, unit, target: { op: "<=", value: bound } };
}

/** `count` at the published scale, less for smaller ones, never below `least`. */
export function scaled(count: number, scale: number, least: number): number {
  return Math.max(least, Math.round(count * Math.min(1, scale)));
}

/** How often a part is repeated: once up to the published scale, then as often as the scale says. */
export function roundsOf(scale: number): number {
  return Math.max(1, Math.round(scale));
}
