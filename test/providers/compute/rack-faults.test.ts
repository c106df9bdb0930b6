import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Machine } from "../../../providers/compute/compute-provider.ts";
import { hostPids } from "../../../providers/compute/local/host-processes.ts";
import { codeOf } from "../../contracts/compute-provider.ts";
import { openRack, until } from "./local-rack.ts";
import type { RackAccess } from "./local-rack.ts";
import { finish, login, open, runOn } from "./ssh-login.ts";

describe("faults of the rack", () => {
  let rack: RackAccess & { end(): Promise<void> };
  beforeEach(async () => {
    rack = await openRack({ isolation: "none", addresses: "loopback-range" });
  });
  afterEach(() => rack.end());
  const levelOf = (attempt: Promise<unknown>) =>
    attempt.then(
      () => "in",
      ({ level }: { level: string }) => level,
    );
  const one = async () => (await rack.launchRunning("r")) as [Machine];

  test("a hanging boot never runs and never answers", async () => {
    await rack.faults({ kind: "hang-boot", enabled: true });
    const [hung] = await rack.launch("hung");
    await rack.faults({ kind: "hang-boot", enabled: false });
    await rack.launchRunning("later");
    expect(await rack.state(hung!.machineId)).toBe("pending");
    expect(await levelOf(login(hung!.endpoint!))).toBe("client-socket");
  });

  test("the launch failure share of boots hangs", async () => {
    await rack.faults({ kind: "launch-failure", share: 1 });
    const [hung] = await rack.launch("hung");
    await rack.faults({ kind: "reset" });
    await rack.faults({ kind: "boot-delay", p50Seconds: 0, p90Seconds: 0 });
    await rack.launchRunning("later");
    expect(await rack.state(hung!.machineId)).toBe("pending");
  });

  test("a machine is pending for its boot delay", async () => {
    await rack.faults({ kind: "boot-delay", p50Seconds: 0.4, p90Seconds: 0.4 });
    const started = performance.now();
    await rack.launchRunning("r");
    expect(performance.now() - started).toBeGreaterThan(395);
  });

  test("refused SSH resets logins until it is over, and the host goes on", async () => {
    const [machine] = await one();
    await rack.faults({ kind: "refuse-ssh", machineId: machine.machineId, enabled: true });
    expect(await levelOf(login(machine.endpoint!))).toBe("client-socket");
    expect(await rack.state(machine.machineId)).toBe("running");
    await rack.faults({ kind: "refuse-ssh", machineId: machine.machineId, enabled: false });
    expect(await runOn(machine.endpoint!, "echo back")).toMatchObject({ stdout: "back\n" });
  });

  test("a frozen host keeps connections in silence, and goes on where it stopped", async () => {
    const [machine] = await one();
    const client = await login(machine.endpoint!);
    const channel = await open(client, "cat");
    const ended = finish(channel);
    await rack.faults({ kind: "freeze", machineId: machine.machineId, enabled: true });
    channel.end("hello");
    expect(await levelOf(login(machine.endpoint!, { readyTimeout: 300 }))).toBe("client-timeout");
    await rack.faults({ kind: "freeze", machineId: machine.machineId, enabled: false });
    expect(await ended).toMatchObject({ code: 0, stdout: "hello" });
    client.end();
  });

  test("a slow host takes longer for the same work", async () => {
    const [machine] = await one();
    const work = "i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done";
    const timed = async () => {
      const started = performance.now();
      await runOn(machine.endpoint!, work);
      return performance.now() - started;
    };
    const quickMs = await timed();
    await rack.faults({ kind: "slow", machineId: machine.machineId, runShare: 0.05 });
    const slowMs = await timed();
    await rack.faults({ kind: "slow", machineId: machine.machineId, runShare: 1 });
    expect(slowMs).toBeGreaterThan(Math.max(250, 2 * quickMs));
  });

  test("a crash ends processes and connections, and is told", async () => {
    const [machine] = await one();
    const client = await login(machine.endpoint!);
    const lost = new Promise<void>((resolve) => client.once("close", () => resolve()));
    await rack.faults({ kind: "crash", machineId: machine.machineId });
    await lost;
    expect(hostPids({ machineId: machine.machineId, init: null })).toEqual([]);
    expect(await rack.provider.events(0)).toMatchObject([{ kind: "crashed", machineId: machine.machineId }]);
    expect(await rack.provider.console(machine.machineId)).toContain("power lost");
  });

  test("a reclaim notice comes first, the end when the grace is over", async () => {
    const [machine] = await one();
    await rack.faults({ kind: "reclaim", machineId: machine.machineId, graceSeconds: 0.3 });
    expect(await rack.provider.events(0)).toMatchObject([{ kind: "reclaim-notice", machineId: machine.machineId }]);
    expect(await rack.state(machine.machineId)).toBe("running");
    await until("it is taken back", async () => (await rack.state(machine.machineId)) === "terminated");
  });

  test("insufficient capacity refuses launches of a zone, and shows in the limits", async () => {
    await rack.faults({ kind: "insufficient-capacity", zone: "a", enabled: true });
    expect(await codeOf(rack.launch("r"))).toBe("INSUFFICIENT_CAPACITY");
    expect((await rack.provider.limits())[0]).toEqual({ zone: "a", available: true, hostsMax: 0, hostsUsed: 0 });
    await rack.faults({ kind: "insufficient-capacity", zone: "a", enabled: false });
    expect(await rack.launch("r")).toHaveLength(1);
  });

  test("a lost zone takes its hosts with it and no new ones, until it is back", async () => {
    const [machine] = await one();
    await rack.faults({ kind: "zone-loss", zone: "a", effect: "crash" });
    expect(await rack.state(machine.machineId)).toBe("stopped");
    expect(await rack.provider.events(0)).toMatchObject([{ kind: "zone-lost", machineId: machine.machineId }]);
    expect((await rack.provider.limits())[0]!.available).toBe(false);
    expect(await codeOf(rack.launch("more"))).toBe("INSUFFICIENT_CAPACITY");
    expect(await codeOf(rack.provider.start(machine.machineId))).toBe("INSUFFICIENT_CAPACITY");
    await rack.faults({ kind: "zone-return", zone: "a" });
    await rack.provider.start(machine.machineId);
    await until("it runs", async () => (await rack.state(machine.machineId)) === "running");
  });

  test("the hosts of a frozen zone stand still and come back as they were", async () => {
    const [machine] = await one();
    await rack.faults({ kind: "zone-loss", zone: "a", effect: "freeze" });
    expect(await levelOf(login(machine.endpoint!, { readyTimeout: 300 }))).toBe("client-timeout");
    await rack.faults({ kind: "zone-return", zone: "a" });
    expect(await runOn(machine.endpoint!, "echo back")).toMatchObject({ stdout: "back\n" });
  });

  test("a changed host key is shown to clients while the recorded one stays", async () => {
    const [machine] = await one();
    const seen: string[] = [];
    const note = { hostVerifier: (key: Buffer) => seen.push(createHash("sha256").update(key).digest("base64")) > 0 };
    await rack.faults({ kind: "host-key", machineId: machine.machineId, changed: true });
    expect(await levelOf(login(machine.endpoint!))).toBe("handshake");
    (await login(machine.endpoint!, note)).end();
    await rack.faults({ kind: "host-key", machineId: machine.machineId, changed: false });
    (await login(machine.endpoint!, note)).end();
    const recorded = machine.endpoint!.hostKeyFingerprint.replace("SHA256:", "");
    expect(seen.map((key) => key.startsWith(recorded))).toEqual([false, true]);
  });

  test("reset ends every lasting fault", async () => {
    const [machine] = await one();
    const { machineId } = machine;
    await rack.faults({ kind: "freeze", machineId, enabled: true });
    await rack.faults({ kind: "refuse-ssh", machineId, enabled: true });
    await rack.faults({ kind: "host-key", machineId, changed: true });
    await rack.faults({ kind: "insufficient-capacity", zone: "a", enabled: true });
    await rack.faults({ kind: "reset" });
    expect(await runOn(machine.endpoint!, "echo back")).toMatchObject({ stdout: "back\n" });
    expect(await rack.launch("more")).toHaveLength(1);
  });

  test("a fault of an unknown machine or a wrong shape is refused", async () => {
    expect(await codeOf(rack.faults({ kind: "crash", machineId: "nobody" }))).toBe("NOT_FOUND");
    expect(await codeOf(rack.faults({ kind: "slow", machineId: "nobody", runShare: 7 }))).toBe("INVALID_REQUEST");
  });

  test("launches with a missing image or a broken key are refused as wrong", async () => {
    const request = { requestId: "w", fleet: "web", hosts: [{ hostId: "w-0", ordinal: 0, zone: "a" }] };
    const key = "ssh-ed25519 nonsense";
    expect(await codeOf(rack.provider.launch({ ...request, image: "/nonexistent", authorizedKey: key }))).toBe(
      "INVALID_REQUEST",
    );
    expect(await codeOf(rack.provider.launch({ ...request, image: rack.image, authorizedKey: key }))).toBe(
      "INVALID_REQUEST",
    );
    expect(await rack.provider.describe({})).toEqual([]);
  });
});
