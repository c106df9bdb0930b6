import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { FleetHandle } from "../../client/fleet-handle.ts";
import type { FleetDescription } from "../../domain/host/describe-fleet.ts";
import { executable, startLocalStack, type LocalStack } from "../e2e/local-stack.ts";
import { processesNaming } from "../embedded/stack-kit.ts";
import { eventually } from "../workflows/running-fleet.ts";

const seed = Number(process.env["FOREWARM_TEST_SEED"] ?? 20261122);

/** A moment within a range that the seed and a name decide. */
function momentMs(name: string, range: { min: number; max: number }): number {
  const draw = createHash("sha256").update(`${seed}/${name}`).digest().readUInt32BE(0) / 2 ** 32;
  return Math.round(range.min + draw * (range.max - range.min));
}

const patient = 60_000;

/** One stack of real processes for all; each test leaves a whole fleet for the next. */
describe.skipIf(executable === "")(`faults, seed ${seed} (needs the \`temporal\` program)`, () => {
  let stack: LocalStack;
  let web: FleetHandle;

  beforeAll(async () => {
    stack = await startLocalStack();
    await stack.fault({ kind: "boot-delay", p50Seconds: 0.3, p90Seconds: 0.6 });
    web = await stack.apply({ fleet: "web", minServing: 2, standby: 2 });
    await whole();
  });
  afterAll(async () => {
    const home = stack?.home;
    await stack?.stop();
    const left = home === undefined ? [] : processesNaming(home);
    if (left.length > 0) throw new Error(`processes are left: ${left.join(" ")}`);
  });

  const isOf = (states: readonly string[]) => (host: { state: string }) => states.includes(host.state);
  const namesOf = (hosts: readonly { hostId: string }[]): string =>
    hosts
      .map((host) => host.hostId)
      .toSorted()
      .join();

  /** The fleet has what it wants and nothing else, and the rack has exactly the fleet's machines. */
  async function whole(wanted = { serving: 2, standby: 2 }, fleet = web): Promise<FleetDescription> {
    let last: unknown;
    async function look(): Promise<FleetDescription | null> {
      const now = await fleet.describe();
      // A quarantined host waits for a person; it counts as neither.
      const hosts = now.hosts.filter((host) => host.state !== "quarantined");
      const kept = now.hosts.filter((host) => host.state === "quarantined").map((host) => host.hostId);
      const machines = (await stack.machines(now.fleet)).filter((machine) => !kept.includes(machine.hostId));
      last = {
        counts: now.counts,
        claimable: now.claimable,
        machines: namesOf(machines),
        notices: now.notices.slice(-3),
      };
      const isWanted = now.claimable === wanted.standby && (now.counts.serving ?? 0) === wanted.serving;
      const isCalm = hosts.every(isOf(["serving", "standby"])) && namesOf(machines) === namesOf(hosts);
      return isWanted && isCalm ? now : null;
    }
    const what = `${wanted.serving} serving, ${wanted.standby} claimable, nothing leaked`;
    return eventually(what, () => look().catch(() => null), patient).catch((error: unknown) => {
      throw new Error(`${String(error)}: ${JSON.stringify(last)}`, { cause: error });
    });
  }

  async function machineOf(hostId: string): Promise<string> {
    return (await stack.machines("web")).find((machine) => machine.hostId === hostId)!.machineId;
  }

  async function someHost(state: string): Promise<string> {
    return (await web.describe()).hosts.find((host) => host.state === state)!.hostId;
  }

  test("a serving host that crashes is replaced", async () => {
    const hostId = await someHost("serving");
    await stack.fault({ kind: "crash", machineId: await machineOf(hostId) });
    const healed = await eventually(
      "another serves in its place",
      async () => {
        const now = await web.describe();
        return now.hosts.every((host) => host.hostId !== hostId) ? now : null;
      },
      patient,
    );
    expect(healed.notices.some(({ text }) => text.startsWith(`${hostId} was lost`))).toBe(true);
    await whole();
  });

  test("a host whose key changed under way is quarantined, kept, and told of", async () => {
    const hostId = await someHost("standby");
    await stack.fault({ kind: "host-key", machineId: await machineOf(hostId), changed: true });
    await stack.apply({ fleet: "web", minServing: 2, standby: 2, greeting: "another" });
    await eventually(
      "it is quarantined and replaced",
      async () => {
        const now = await web.describe();
        const host = now.hosts.find((each) => each.hostId === hostId);
        return host?.state === "quarantined" && now.claimable === 2 && now.golden?.epoch === 2;
      },
      patient,
    );
    expect(await machineOf(hostId)).toBeTruthy();
    const { rows } = await web.lookUp({ table: "events" });
    expect(JSON.stringify(rows)).toContain("HOST_KEY_CHANGED");
    await stack.fault({ kind: "crash", machineId: await machineOf(hostId) });
  });

  test("the worker killed while hosts are bootstrapped: all of them arrive and nothing leaks", async () => {
    const crew = await stack.apply({ fleet: "crew", minServing: 0, standby: 5 });
    await eventually("they are under way", async () => (await stack.machines("crew")).length === 5);
    await delay(momentMs("worker under bootstrap", { min: 0, max: 1500 }));
    const killed = await stack.kill("worker");
    await killed.restarted();
    await whole({ serving: 0, standby: 5 }, crew);
    const { hostStarts } = await crew.describe();
    expect(hostStarts).toBeLessThanOrEqual(7);
  });

  test("the worker killed under claims: none is answered twice, all are answered", async () => {
    const crew = stack.fleet("crew");
    const took: number[] = [];
    async function claim(index: number): Promise<string> {
      const startedMs = performance.now();
      const hostId = await eventually(
        "granted",
        async () => {
          const answer = await crew.claim(`kill-${index}`);
          return answer.kind === "granted" ? answer.hostId : null;
        },
        patient,
      );
      took.push(performance.now() - startedMs);
      return hostId;
    }
    const restarts: number[] = [];
    const claims: Promise<string>[] = [];
    for (let index = 0; index < 5; index += 1) {
      claims.push(claim(index));
      if (index === 1) void stack.kill("worker").then(async (killed) => restarts.push(await killed.restarted()));
      await delay(momentMs(`claim ${index}`, { min: 20, max: 120 }));
    }
    const hosts = await Promise.all(claims);
    const shown = took.map((ms) => ms.toFixed(0)).join(" ");
    console.info(`claims under worker kill: ${shown} ms; its supervisor had another one after ${restarts.join()} ms`);
    expect(new Set(hosts).size).toBe(5);
    expect(Math.max(...took)).toBeLessThan(15_000);
    for (const [index, hostId] of hosts.entries())
      expect(await crew.claim(`kill-${index}`)).toMatchObject({ kind: "granted", hostId });
    const { rows } = await crew.lookUp({ table: "claims" });
    const answered = (rows as { claimId: string; hostId: string }[]).filter((row) => row.claimId.startsWith("kill-"));
    expect(answered.map((row) => row.hostId).toSorted()).toEqual(hosts.toSorted());
    for (let index = 0; index < 5; index += 1) await crew.release(`kill-${index}`);
    await whole({ serving: 0, standby: 5 }, crew);
  });

  test("the rack killed: its hosts live on, and the fleet stays whole", async () => {
    const before = await whole();
    const killed = await stack.kill("rack");
    await killed.restarted();
    const after = await whole();
    expect(after.hosts.map((host) => host.hostId)).toEqual(before.hosts.map((host) => host.hostId));
    expect((await fetch(after.endpoint!)).status).toBe(200);
  });

  test("the balancer killed under load: the same address answers again within moments", async () => {
    const { endpoint } = await whole();
    let asked = 0;
    let failedLast = 0;
    const over = new AbortController();
    const load = (async () => {
      while (!over.signal.aborted) {
        asked += 1;
        const isOk = await fetch(endpoint!).then(
          (answer) => answer.ok,
          () => false,
        );
        if (!isOk) failedLast = performance.now();
        await delay(10);
      }
    })();
    const killedMs = performance.now();
    const killed = await stack.kill("load-balancer");
    await killed.restarted();
    const described = await whole();
    await eventually("a second without a failed request", () => asked > 20 && performance.now() - failedLast > 1000);
    over.abort();
    await load;
    console.info(`balancer killed: last failed request after ${Math.max(0, failedLast - killedMs).toFixed(0)} ms`);
    expect(described.endpoint).toBe(endpoint);
  });

  test("the agent killed while it installs: the host gets the golden all the same, or is replaced", async () => {
    await whole();
    await stack.apply({ fleet: "web", minServing: 2, standby: 2, greeting: "agents may die" });
    await eventually("hosts are being changed", async () => {
      return (await web.describe()).hosts.some(isOf(["refreshing", "updating"]));
    });
    const agents = agentsOf(stack.home);
    expect(agents.length).toBeGreaterThanOrEqual(4);
    for (const pid of agents) process.kill(pid, "SIGKILL");
    const settled = await eventually(
      "every host holds epoch 3",
      async () => {
        const now = await web.describe();
        const hosts = now.hosts.filter((host) => host.state !== "quarantined");
        const isSettled = now.golden?.epoch === 3 && now.goldenChange === null;
        return isSettled && hosts.every((host) => host.epoch === 3) ? now : null;
      },
      patient,
    );
    expect(settled.totals.promotedWithStaleConfiguration).toBe(0);
    await whole();
  });

  test("zones without room are told of, and used again when they have some", async () => {
    await whole();
    for (const zone of ["a", "b"]) await stack.fault({ kind: "insufficient-capacity", zone, enabled: true });
    await stack.fault({ kind: "crash", machineId: await machineOf(await someHost("standby")) });
    const short = await eventually(
      "the shortage is told",
      async () => {
        const now = await web.describe();
        return now.notices.some(({ text }) => /was not launched in zone [ab]:/.test(text)) ? now : null;
      },
      patient,
    );
    expect(short.counts.serving).toBe(2);
    for (const zone of ["a", "b"]) await stack.fault({ kind: "insufficient-capacity", zone, enabled: false });
    expect((await whole()).totals.promotedWithStaleConfiguration).toBe(0);
  });

  test("Temporal killed: everything goes on where it was", async () => {
    const before = await whole();
    const killed = await stack.kill("temporal");
    await killed.restarted();
    const after = await whole();
    expect(after.hosts.map((host) => host.hostId)).toEqual(before.hosts.map((host) => host.hostId));
    const answer = await eventually("a claim is granted", () => web.claim("after").catch(() => null), patient);
    expect(answer.kind).toBe("granted");
    await web.release("after");
    await whole();
  });
});

function agentsOf(home: string): number[] {
  return processesNaming(home).filter((pid) => /agent\.mjs/.test(readFileSync(`/proc/${pid}/cmdline`, "latin1")));
}
