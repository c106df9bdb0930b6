/** Claims of the store bench, from its call events alone. */
export function recompute(events: Record<string, unknown>[]): Record<string, number> {
  const durations = new Map<string, number[]>();
  for (const { kind, store, what, durationMs } of events) {
    if (kind !== "call") continue;
    const key = `${String(store)} ${String(what)}`;
    durations.set(key, [...(durations.get(key) ?? []), Number(durationMs)]);
  }
  const claims: Record<string, number> = {};
  for (const [key, values] of durations) {
    const [store, what] = key.split(" ");
    const ascending = values.toSorted((a, b) => a - b);
    const middle = ascending[Math.ceil(ascending.length / 2) - 1] ?? Number.NaN;
    if (what === "open") claims[`${store} first open`] = middle;
    if (what === "reopen") claims[`${store} reopen p50`] = middle;
    if (what === "read") claims[`${store} read of 4000 samples p50`] = middle;
    if (what === "upsert") {
      let totalMs = 0;
      for (const value of values) totalMs += value;
      claims[`${store} upserts`] = (1000 * values.length) / totalMs;
    }
  }
  return claims;
}
