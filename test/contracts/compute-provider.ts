import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { isForewarmError } from "../../domain/errors.ts";
import type { ComputeProvider, LaunchRequest, MachineState } from "../../providers/compute/compute-provider.ts";

/** One provider under test, fresh for every case. */
export interface ComputeProviderUnderTest {
  provider: ComputeProvider;
  image: string;
  authorizedKey: string;
  /** A zone with room for many hosts, and one with room for exactly two. */
  zones: { roomy: string; tiny: string };
  /** Lets machines boot, in real or in virtual time. */
  letTimePass(): Promise<void>;
  crash(machineId: string): Promise<void>;
  end(): Promise<void>;
}

/** The stable code a call is rejected with, or "none" when it succeeds. */
export function codeOf(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => "none",
    (error: unknown) => (isForewarmError(error) ? error.code : error),
  );
}

/** What every ComputeProvider promises, whatever its machines are. */
export function describeComputeProvider(name: string, makeProvider: () => Promise<ComputeProviderUnderTest>): void {
  describe(`${name} as ComputeProvider`, () => {
    let under: ComputeProviderUnderTest;
    beforeEach(async () => {
      under = await makeProvider();
    });
    afterEach(() => under.end());

    const request = (requestId: string, count: number, zone = under.zones.roomy): LaunchRequest => ({
      requestId,
      fleet: "web",
      image: under.image,
      hosts: Array.from({ length: count }, (_, ordinal) => ({ hostId: `${requestId}-${ordinal}`, ordinal, zone })),
      authorizedKey: under.authorizedKey,
    });
    const reach = async (machineId: string, state: MachineState) => {
      for (let tries = 0; tries < 500; tries += 1) {
        const [machine] = await under.provider.describe({ machineIds: [machineId] });
        if (machine?.state === state) return machine;
        await under.letTimePass();
      }
      throw new Error(`${machineId} never became ${state}`);
    };

    test("answers a repeated launch with the machines of the first call", async () => {
      const first = await under.provider.launch(request("r", 2));
      const second = await under.provider.launch(request("r", 2));
      expect(first.map((machine) => machine.hostId)).toEqual(["r-0", "r-1"]);
      expect(second.map((machine) => machine.machineId)).toEqual(first.map((machine) => machine.machineId));
      expect(await under.provider.describe({})).toHaveLength(2);
    });

    test("answers concurrent launches under one request id with the same machines", async () => {
      const answers = await Promise.all([1, 2, 3].map(() => under.provider.launch(request("r", 3))));
      const ids = answers.map((machines) => machines.map((machine) => machine.machineId));
      expect(new Set(ids.flat()).size).toBe(3);
      expect(ids[1]).toEqual(ids[0]);
      expect(await under.provider.describe({ requestId: "r" })).toHaveLength(3);
    });

    test("refuses a request id that is used again for other hosts", async () => {
      await under.provider.launch(request("r", 1));
      expect(await codeOf(under.provider.launch(request("r", 2)))).toBe("INVALID_REQUEST");
      expect(await under.provider.describe({})).toHaveLength(1);
    });

    test("refuses an empty batch and an ordinal named twice", async () => {
      expect(await codeOf(under.provider.launch(request("empty", 0)))).toBe("INVALID_REQUEST");
      const twice = request("twice", 2);
      const hosts = twice.hosts.map((host) => ({ ...host, ordinal: 0 }));
      expect(await codeOf(under.provider.launch({ ...twice, hosts }))).toBe("INVALID_REQUEST");
    });

    test("tells address and host key at launch, and runs later", async () => {
      const [machine] = await under.provider.launch(request("r", 1));
      expect(machine!.endpoint).toMatchObject({
        hostId: "r-0",
        machineId: machine!.machineId,
        zone: under.zones.roomy,
      });
      expect(machine!.endpoint!.hostKeyFingerprint).toMatch(/^SHA256:/);
      const running = await reach(machine!.machineId, "running");
      expect(running.endpoint).toEqual(machine!.endpoint);
    });

    test("gives every machine its own address and key", async () => {
      const machines = await under.provider.launch(request("r", 3));
      const places = machines.map(({ endpoint }) => `${endpoint!.address}:${endpoint!.sshPort}`);
      const services = machines.map(({ endpoint }) => `${endpoint!.address}:${endpoint!.servicePort}`);
      expect(new Set(places).size).toBe(3);
      expect(new Set([...places, ...services]).size).toBe(6);
      expect(new Set(machines.map(({ endpoint }) => endpoint!.hostKeyFingerprint)).size).toBe(3);
    });

    test("launches what fits of a batch, and says no when nothing does", async () => {
      const machines = await under.provider.launch(request("r", 3, under.zones.tiny));
      expect(machines.map((machine) => machine.ordinal)).toEqual([0, 1]);
      expect(await under.provider.launch(request("r", 3, under.zones.tiny))).toHaveLength(2);
      expect(await codeOf(under.provider.launch(request("more", 1, under.zones.tiny)))).toBe("INSUFFICIENT_CAPACITY");
      const full = (await under.provider.limits()).find((limits) => limits.zone === under.zones.tiny);
      expect(full).toMatchObject({ available: true, hostsMax: 2, hostsUsed: 2 });
    });

    test("frees the room of a terminated machine", async () => {
      const [machine] = await under.provider.launch(request("r", 2, under.zones.tiny));
      await under.provider.terminate([machine!.machineId]);
      expect(await under.provider.launch(request("next", 1, under.zones.tiny))).toHaveLength(1);
    });

    test("terminates twice and terminates the unknown without complaint", async () => {
      const [machine] = await under.provider.launch(request("r", 1));
      await under.provider.terminate([machine!.machineId, "nobody"]);
      await under.provider.terminate([machine!.machineId]);
      const [ended] = await under.provider.describe({ machineIds: [machine!.machineId] });
      expect(ended?.state).toBe("terminated");
    });

    test("a terminated machine is answered, not made again, under its request id", async () => {
      const [machine] = await under.provider.launch(request("r", 1));
      await under.provider.terminate([machine!.machineId]);
      const again = await under.provider.launch(request("r", 1));
      expect(again.map(({ machineId, state }) => ({ machineId, state }))).toEqual([
        { machineId: machine!.machineId, state: "terminated" },
      ]);
    });

    test("terminates by request and ordinal after the launch", async () => {
      const machines = await under.provider.launch(request("r", 3));
      await under.provider.terminateRequest("r", [0, 2]);
      await under.provider.terminateRequest("r", [0, 2]);
      const states = (await under.provider.describe({ requestId: "r" })).map(({ ordinal, state }) => [
        ordinal,
        state === "terminated",
      ]);
      expect(states).toEqual([
        [0, true],
        [1, false],
        [2, true],
      ]);
      expect(machines).toHaveLength(3);
    });

    test("a launch after terminateRequest creates none of the buried machines", async () => {
      await under.provider.terminateRequest("r", [0, 1]);
      expect(await under.provider.launch(request("r", 2))).toEqual([]);
      await under.provider.terminateRequest("s", [1]);
      const rest = await under.provider.launch(request("s", 2));
      expect(rest.map((machine) => machine.ordinal)).toEqual([0]);
      expect(await under.provider.describe({})).toHaveLength(1);
    });

    test("a launch and terminateRequest at once leave no machine alive", async () => {
      const launched = under.provider.launch(request("r", 2));
      await Promise.all([launched, under.provider.terminateRequest("r", [0, 1])]);
      const alive = (await under.provider.describe({ requestId: "r" })).filter(({ state }) => state !== "terminated");
      expect(alive).toEqual([]);
    });

    test("describes by fleet, request and machine, all at once", async () => {
      const [mine] = await under.provider.launch(request("r", 2));
      await under.provider.launch({ ...request("s", 1), fleet: "other" });
      expect(await under.provider.describe({ fleet: "other" })).toHaveLength(1);
      expect(await under.provider.describe({ fleet: "web", requestId: "r" })).toHaveLength(2);
      expect(await under.provider.describe({ requestId: "s", machineIds: [mine!.machineId] })).toEqual([]);
      expect(await under.provider.describe({ machineIds: [] })).toEqual([]);
    });

    test("stop and start keep the machine's identity, or are refused where declared missing", async () => {
      const [machine] = await under.provider.launch(request("r", 1));
      const { machineId, endpoint } = machine!;
      const { stop } = await under.provider.capabilities();
      await reach(machineId, "running");
      const answer = stop ? "none" : "INVALID_REQUEST";
      expect(await codeOf(under.provider.stop(machineId))).toBe(answer);
      expect(await codeOf(under.provider.stop(machineId))).toBe(answer);
      expect((await reach(machineId, stop ? "stopped" : "running")).endpoint).toEqual(endpoint);
      expect(await codeOf(under.provider.start(machineId))).toBe(answer);
      expect(await codeOf(under.provider.start(machineId))).toBe(answer);
      expect((await reach(machineId, "running")).endpoint).toEqual(endpoint);
    });

    test("does not start what is terminated", async () => {
      const [machine] = await under.provider.launch(request("r", 1));
      await under.provider.terminate([machine!.machineId]);
      expect(await codeOf(under.provider.start(machine!.machineId))).toBe("INVALID_REQUEST");
      expect(await codeOf(under.provider.stop(machine!.machineId))).toBe("INVALID_REQUEST");
    });

    test("does not know machines that never were", async () => {
      const { stop, console } = await under.provider.capabilities();
      const codeWhere = (capable: boolean) => (capable ? "NOT_FOUND" : "INVALID_REQUEST");
      expect(await under.provider.describe({ machineIds: ["nobody"] })).toEqual([]);
      expect(await codeOf(under.provider.stop("nobody"))).toBe(codeWhere(stop));
      expect(await codeOf(under.provider.start("nobody"))).toBe(codeWhere(stop));
      expect(await codeOf(under.provider.console("nobody"))).toBe(codeWhere(console));
    });

    test("has a console exactly when it says so", async () => {
      const [machine] = await under.provider.launch(request("r", 1));
      await reach(machine!.machineId, "running");
      const hasConsole = (await under.provider.capabilities()).console;
      const heard = await under.provider.console(machine!.machineId).catch(({ code }: { code: string }) => code);
      expect(heard).toContain(hasConsole ? machine!.endpoint!.hostKeyFingerprint : "INVALID_REQUEST");
    });

    test("numbers events, and answers those after a number", async () => {
      const machines = await under.provider.launch(request("r", 2));
      for (const { machineId } of machines) await reach(machineId, "running");
      for (const { machineId } of machines) await under.crash(machineId);
      const all = await under.provider.events(0);
      expect(all.map(({ machineId, kind }) => [machineId, kind])).toEqual(
        machines.map(({ machineId }) => [machineId, "crashed"]),
      );
      expect(await under.provider.events(all[0]!.sequence)).toEqual([all[1]]);
      expect(await under.provider.events(all[1]!.sequence)).toEqual([]);
      expect((await reach(machines[0]!.machineId, "stopped")).state).toBe("stopped");
    });
  });
}
