import { describe, expect, test } from "vitest";
import { createKeyedRandom } from "../../../providers/compute/local/keyed-random.ts";
import { createSimulatedComputeProvider } from "../../../providers/compute/simulated/simulated-compute-provider.ts";
import { describeComputeProvider, codeOf } from "../../contracts/compute-provider.ts";

function virtualClock() {
  let nowMs = 1_000_000;
  return {
    nowMs: () => nowMs,
    advance: (ms: number) => {
      nowMs += ms;
    },
  };
}

const request = (requestId: string, count: number, zone = "a") => ({
  requestId,
  fleet: "web",
  image: "/image",
  hosts: Array.from({ length: count }, (_, ordinal) => ({ hostId: `${requestId}-${ordinal}`, ordinal, zone })),
  authorizedKey: "ssh-ed25519 unused",
});

for (const canStop of [true, false]) {
  describeComputeProvider(`simulated, ${canStop ? "with" : "without"} stop`, async () => {
    const clock = virtualClock();
    const provider = createSimulatedComputeProvider({
      clock,
      random: createKeyedRandom("contract"),
      leadTime: { p50Seconds: 30, p90Seconds: 60 },
      zones: { roomy: 100, tiny: 2 },
      canStop,
    });
    return {
      provider,
      image: "/image",
      authorizedKey: "ssh-ed25519 unused",
      zones: { roomy: "roomy", tiny: "tiny" },
      letTimePass: async () => clock.advance(1000),
      crash: async (machineId) => provider.faults.crash(machineId),
      end: () => provider.close(),
    };
  });
}

describe("simulated machines", () => {
  const make = (options: { p50Seconds?: number; p90Seconds?: number; launchFailureShare?: number } = {}) => {
    const { p50Seconds = 40, p90Seconds = 90, launchFailureShare = 0 } = options;
    const clock = virtualClock();
    const random = createKeyedRandom("simulated");
    const leadTime = { p50Seconds, p90Seconds };
    return {
      clock,
      provider: createSimulatedComputeProvider({
        clock,
        random,
        leadTime,
        launchFailureShare,
        zones: { a: 5000, b: 5 },
      }),
    };
  };
  const running = async (provider: ReturnType<typeof make>["provider"]) =>
    (await provider.describe({})).filter((machine) => machine.state === "running").length;

  test("half of the machines run after the median lead time, nine in ten after the 90th percentile", async () => {
    const { clock, provider } = make();
    for (let batch = 0; batch < 10; batch += 1) await provider.launch(request(`r${batch}`, 100));
    expect(await running(provider)).toBe(0);
    clock.advance(40_000);
    expect(await running(provider)).toBeGreaterThan(450);
    expect(await running(provider)).toBeLessThan(550);
    clock.advance(50_000);
    expect(await running(provider)).toBeGreaterThan(870);
    expect(await running(provider)).toBeLessThan(930);
  });

  test("the launch failure share of boots never ends", async () => {
    const { clock, provider } = make({ launchFailureShare: 0.2 });
    for (let batch = 0; batch < 5; batch += 1) await provider.launch(request(`r${batch}`, 100));
    clock.advance(1e9);
    expect(await running(provider)).toBeGreaterThan(360);
    expect(await running(provider)).toBeLessThan(440);
  });

  test("a lost zone stops its machines and takes none until it is back", async () => {
    const { clock, provider } = make();
    const [inB] = await provider.launch(request("b", 1, "b"));
    await provider.launch(request("a", 1));
    clock.advance(1e9);
    provider.faults.loseZone("b");
    expect(await running(provider)).toBe(1);
    expect(await provider.events(0)).toMatchObject([{ machineId: inB!.machineId, kind: "zone-lost" }]);
    expect(await codeOf(provider.launch(request("b2", 1, "b")))).toBe("INSUFFICIENT_CAPACITY");
    expect(await codeOf(provider.start(inB!.machineId))).toBe("INSUFFICIENT_CAPACITY");
    provider.faults.returnZone("b");
    await provider.start(inB!.machineId);
    clock.advance(1e9);
    expect(await running(provider)).toBe(2);
  });

  test("a reclaim notice is an event, and the machine goes on", async () => {
    const { clock, provider } = make();
    const [machine] = await provider.launch(request("r", 1));
    clock.advance(1e9);
    provider.faults.noticeReclaim(machine!.machineId);
    expect(await provider.events(0)).toMatchObject([{ kind: "reclaim-notice", machineId: machine!.machineId }]);
    expect(await running(provider)).toBe(1);
  });
});
