type Event = Record<string, unknown>;

interface Day {
  speed: number;
  startMs: number;
  endMs: number;
  failed: number;
}

function dayOf(event: Event): Day {
  const load = event["load"] as { failed: number };
  return {
    speed: Number(event["speed"]),
    startMs: Number(event["dayStartWallMs"]),
    endMs: Number(event["endWallMs"]),
    failed: load.failed,
  };
}

function idleMinutes(day: Day, decisions: Event[]): number {
  let hostMs = 0;
  for (let index = 0; index < decisions.length; index += 1) {
    const until = index + 1 < decisions.length ? Number(decisions[index + 1]?.["atMs"]) : day.endMs;
    const from = Math.max(Number(decisions[index]?.["atMs"]), day.startMs);
    hostMs += Math.max(0, Math.min(until, day.endMs) - from) * Number(decisions[index]?.["standby"]);
  }
  return (hostMs * day.speed) / 60_000;
}

function startsOf(
  day: Day,
  events: { claims: Event[]; leads: Event[]; unfinished: Event[] },
): { starts: number; ready: number } {
  const inDay = (atMs: number): boolean => atMs >= day.startMs && atMs < day.endMs;
  let starts = events.unfinished.filter((event) => inDay(Number(event["atMs"]))).length;
  let ready = 0;
  for (const lead of events.leads) {
    if (lead["of"] !== "total" || !inDay(Number(lead["atMs"]) - 1000 * Number(lead["seconds"]))) continue;
    starts += 1;
    const taken = events.claims
      .filter((claim) => claim["hostId"] === lead["hostId"] && claim["outcome"] !== "withdrawn")
      .map((claim) => Number(claim["outcome"] === "waited" ? claim["requestedAtMs"] : claim["grantedAtMs"]));
    const first = Math.min(...taken);
    if (first < day.endMs && Number(lead["atMs"]) <= first) ready += 1;
  }
  return { starts, ready };
}

/** Claims of the demo bench, from its recorded rows. */
export function recompute(events: Event[]): Record<string, number> {
  const runs = events.filter((event) => event["kind"] === "day");
  const results = runs.map((run) => {
    const own = (kind: string): Event[] =>
      events.filter((event) => event["kind"] === kind && event["run"] === run["run"]);
    const day = dayOf(run);
    const claims = own("claim").filter(
      (claim) => Number(claim["requestedAtMs"]) >= day.startMs && Number(claim["requestedAtMs"]) < day.endMs,
    );
    const misses = claims.filter((claim) => claim["outcome"] !== "warm").length;
    const comparator = (name: string): Event => own("comparator").find((event) => event["name"] === name) ?? {};
    const { starts, ready } = startsOf(day, {
      claims: own("claim"),
      leads: own("lead-time"),
      unfinished: own("unfinished-start"),
    });
    const reactive = comparator("reactive");
    return {
      failed: day.failed,
      excess: misses - Math.max(1, Math.floor(claims.length / 100)),
      idle: idleMinutes(day, own("decision")),
      idleReactive: Number(reactive["idle_host_minutes"]),
      idleStatic: Number(comparator("static")["idle_host_minutes"]),
      starts,
      ready,
      startsReactive: Number(reactive["host_starts"]),
      readyReactive: Number(reactive["ready_before_needed"] ?? 0) * Number(reactive["host_starts"]),
    };
  });
  const total = (key: keyof (typeof results)[number]): number => results.reduce((sum, result) => sum + result[key], 0);
  return {
    "requests failed, all days": total("failed"),
    "misses above max(1, 1 %), worst day": Math.max(...results.map((result) => result.excess)),
    "idle against reactive, all days": total("idle") / total("idleReactive"),
    "idle against static, all days": total("idle") / total("idleStatic"),
    "ready before needed above reactive, all days":
      total("ready") / total("starts") - total("readyReactive") / total("startsReactive"),
  };
}
