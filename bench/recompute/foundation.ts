type Event = Record<string, unknown>;

/** The smallest value that at least `share` of the values do not exceed. */
function rank(values: number[], share: number): number {
  const ascending = values.toSorted((a, b) => a - b);
  return ascending.find((_, index) => (index + 1) / ascending.length >= share) ?? Number.NaN;
}

const number = (event: Event, key: string): number => Number(event[key]);

function firstAnswers(claims: Event[], requests: Event[]): Record<string, number> {
  if (claims.length === 0) return {};
  // Taken from the requests themselves: the first one answered by the claimed host that was sent after the claim.
  const waits = claims.map((claim) => {
    const answered = requests
      .filter(
        (request) => request["hostId"] === claim["hostId"] && number(request, "sentMs") >= number(claim, "sentMs"),
      )
      .map((request) => number(request, "answeredMs"));
    return Math.min(...answered) - number(claim, "sentMs");
  });
  return {
    "claim to first answer p99": rank(waits, 0.99),
    "claim to first answer p50": rank(waits, 0.5),
    "requests failed while hosts came and went": requests.filter((request) => request["statusCode"] !== 200).length,
  };
}

function waitsOf(claims: Event[]): number[] {
  return claims.map((claim) => number(claim, "answeredMs") - number(claim, "sentMs"));
}

function concurrentClaims(claims: Event[]): Record<string, number> {
  if (claims.length === 0) return {};
  const failed = claims.filter((claim) => claim["hostId"] === null || number(claim, "errors") > 0);
  return { "concurrent claims p99": rank(waitsOf(claims), 0.99), "concurrent claims that failed": failed.length };
}

/** How many of the events name a host that an earlier one named already. */
function sharedHosts(claims: Event[]): number {
  const seen = new Set<unknown>();
  let shared = 0;
  for (const { hostId } of claims) {
    if (hostId === null) continue;
    if (seen.has(hostId)) shared += 1;
    seen.add(hostId);
  }
  return shared;
}

function claimProcesses(processes: Event[]): Record<string, number> {
  if (processes.length === 0) return {};
  const failed = processes.filter((process) => process["hostId"] === null || number(process, "errors") > 0);
  const seconds = processes.map((process) => number(process, "durationMs") / 1000);
  return {
    "claim processes p99": rank(seconds, 0.99),
    "claim processes that failed": failed.length + sharedHosts(processes),
  };
}

function killedWorker(claims: Event[], again: Event[]): Record<string, number> {
  if (claims.length === 0) return {};
  const unanswered = claims.filter((claim) => claim["hostId"] === null).length;
  let changed = 0;
  for (const { hostId, repeatedHostId, storedHostIds } of again) {
    const stored = Array.isArray(storedHostIds) ? storedHostIds : [];
    if (repeatedHostId !== hostId || stored.length !== 1 || stored[0] !== hostId) changed += 1;
  }
  return {
    "claims over a killed worker, longest": Math.max(...waitsOf(claims)),
    "claims answered twice, differently or not at all": unanswered + sharedHosts(claims) + changed,
  };
}

function bootstraps(phases: Event[]): Record<string, number> {
  const totals = (group: string): Event[] =>
    phases.filter((event) => event["phase"] === "total" && event["group"] === group);
  const [single, many] = [totals("single"), totals("at-once")];
  if (single.length === 0 || many.length === 0) return {};
  let decidedMs = Infinity;
  let readyMs = -Infinity;
  for (const event of many) {
    decidedMs = Math.min(decidedMs, number(event, "atMs") - 1000 * number(event, "seconds"));
    readyMs = Math.max(readyMs, number(event, "atMs"));
  }
  return {
    "bootstrap of one host p50": rank(
      single.map((event) => number(event, "seconds")),
      0.5,
    ),
    "bootstrap of hosts at once": (readyMs - decidedMs) / 1000,
  };
}

function proxy(loads: Event[]): Record<string, number> {
  if (loads.length === 0) return {};
  const proxied = loads.filter((load) => load["target"] === "proxied");
  let errors = 0;
  for (const load of loads) errors += number(load, "errors");
  return {
    "proxied requests p50": rank(
      proxied.map((load) => number(load, "requests") / number(load, "seconds")),
      0.5,
    ),
    "proxy load errors": errors,
  };
}

function commands(events: Event[]): Record<string, number> {
  if (events.length === 0) return {};
  const msOf = (what: string): number[] =>
    events.filter((event) => event["what"] === what).map((event) => number(event, "durationMs"));
  let checkMs = 0;
  for (const ms of [...msOf("check"), ...msOf("unit-tests")]) checkMs += ms;
  return {
    "forewarm --help p50": rank(msOf("help"), 0.5),
    "check and unit tests": checkMs / 1000,
    "commands that failed": events.filter((event) => event["exitCode"] !== 0).length,
  };
}

/** Claims of the foundation bench, from single claims, requests, ledger rows, loads and commands. */
export function recompute(events: Event[]): Record<string, number> {
  const of = (kind: string): Event[] => events.filter((event) => event["kind"] === kind);
  const claimsOf = (part: string): Event[] => of("claim").filter((claim) => claim["part"] === part);
  return {
    ...firstAnswers(claimsOf("first-answer"), of("request")),
    ...concurrentClaims(claimsOf("concurrent")),
    ...claimProcesses(of("claim-process")),
    ...killedWorker(claimsOf("worker-killed"), of("claim-again")),
    ...bootstraps(of("bootstrap-phase")),
    ...proxy(of("proxy-load")),
    ...commands(of("command")),
  };
}
