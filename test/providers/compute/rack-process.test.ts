import { once } from "node:events";
import { existsSync } from "node:fs";
import { appendFile, readFile, stat } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { hostPids } from "../../../providers/compute/local/host-processes.ts";
import { createLocalComputeProvider } from "../../../providers/compute/local/local-compute-provider.ts";
import { sendSignal } from "../../../providers/compute/local/process-table.ts";
import type { Machine } from "../../../providers/compute/compute-provider.ts";
import { codeOf } from "../../contracts/compute-provider.ts";
import { hasBwrap, spawnRack, until } from "./local-rack.ts";
import type { RackProcess } from "./local-rack.ts";
import { runOn } from "./ssh-login.ts";

/** State letter of a process, as in proc(5). */
async function stateOf(pid: number): Promise<string | undefined> {
  return /\) (\S) /.exec(await readFile(`/proc/${pid}/stat`, "utf8"))?.[1];
}

for (const isolation of ["none", "bwrap"] as const) {
  describe.skipIf(isolation === "bwrap" && !hasBwrap)(`the rack process, isolation ${isolation}`, () => {
    let rack: RackProcess;
    beforeEach(async () => {
      rack = await spawnRack({ isolation, addresses: "loopback-range" });
    });
    afterEach(() => rack.end());
    const pidsOf = ({ machineId }: Machine) => hostPids({ machineId, init: null });
    const pidIn = async (machine: Machine, command: string): Promise<number> => {
      const before = new Set(pidsOf(machine));
      await runOn(machine.endpoint!, `setsid ${command} >/dev/null 2>&1 </dev/null &`);
      return pidsOf(machine).find((pid) => !before.has(pid))!;
    };

    test("says how it isolates, warns where nothing does, and keeps its socket to itself", async () => {
      expect(rack.ready).toMatchObject({ ready: true, isolation, adopted: 0 });
      expect(rack.ready.warnings.length > 0).toBe(isolation === "none");
      expect((await rack.provider.capabilities()).isolation).toBe(isolation);
      expect((await stat(rack.socketPath)).mode & 0o777).toBe(0o600);
    });

    test("killed and started again, it finds its hosts alive, with their keys", async () => {
      const machines = await rack.launchRunning("r", 3);
      const daemon = await pidIn(machines[0]!, "sleep 1000");
      await rack.kill("SIGKILL");
      expect(existsSync(`/proc/${daemon}`)).toBe(true);
      await rack.restart();
      expect(rack.ready.adopted).toBe(3);
      expect(await rack.provider.describe({ requestId: "r" })).toEqual(
        machines.map((machine) => ({ ...machine, state: "running" })),
      );
      const answers = await Promise.all(machines.map(({ endpoint }) => runOn(endpoint!, "echo $FOREWARM_HOST_ID")));
      expect(answers.map(({ stdout }) => stdout.trim())).toEqual(["r-0", "r-1", "r-2"]);
      expect(pidsOf(machines[0]!)).toContain(daemon);
      expect(
        (await rack.provider.launch({ ...request(rack), requestId: "r" })).map(({ machineId }) => machineId),
      ).toEqual(machines.map(({ machineId }) => machineId));
      await rack.provider.terminate([machines[0]!.machineId]);
      expect(pidsOf(machines[0]!)).toEqual([]);
    });

    test("ends cleanly on SIGTERM, and hosts go on living", async () => {
      const [machine] = (await rack.launchRunning("r")) as [Machine];
      const daemon = await pidIn(machine, "sleep 1000");
      expect(await rack.kill("SIGTERM")).toBe(0);
      expect(existsSync(`/proc/${daemon}`)).toBe(true);
      expect(await codeOf(rack.provider.describe({}))).toBe("PROVIDER_UNREACHABLE");
      await rack.restart();
      expect(await rack.state(machine.machineId)).toBe("running");
    });

    test("a host that died while the rack was away is found crashed", async () => {
      const [machine] = (await rack.launchRunning("r")) as [Machine];
      await rack.kill("SIGKILL");
      for (const pid of pidsOf(machine)) sendSignal(pid, "SIGKILL");
      await rack.restart();
      expect(await rack.state(machine.machineId)).toBe("stopped");
      expect(await rack.provider.events(0)).toMatchObject([{ machineId: machine.machineId, kind: "crashed" }]);
      await rack.provider.start(machine.machineId);
      await until("it runs again", async () => (await rack.state(machine.machineId)) === "running");
    });

    test("an address taken while the rack was away makes the host stopped, until it is free again", async () => {
      const [machine] = (await rack.launchRunning("r")) as [Machine];
      const { address, sshPort } = machine.endpoint!;
      await rack.kill("SIGKILL");
      const thief = createServer().listen(sshPort, address);
      await once(thief, "listening");
      await rack.restart();
      expect(await rack.state(machine.machineId)).toBe("stopped");
      expect(await codeOf(rack.provider.start(machine.machineId))).toBe("INSUFFICIENT_CAPACITY");
      await new Promise((resolve) => thief.close(resolve));
      await rack.provider.start(machine.machineId);
      await until("it runs again", async () => (await rack.state(machine.machineId)) === "running");
      expect(await runOn(machine.endpoint!, "echo back")).toMatchObject({ stdout: "back\n" });
    });

    test("a boot cut short by the death of the rack is finished by the next one", async () => {
      await rack.faults({ kind: "boot-delay", p50Seconds: 0.6, p90Seconds: 0.6 });
      const [machine] = (await rack.launch("r")) as [Machine];
      await rack.kill("SIGKILL");
      await rack.restart();
      await until("it runs", async () => (await rack.state(machine.machineId)) === "running");
      expect(await runOn(machine.endpoint!, "cat $FOREWARM_ROOT/opt/app/greeting.txt")).toMatchObject({ code: 0 });
    });

    test("a frozen host stays frozen over a restart, and events keep their numbers", async () => {
      const [machine, other] = (await rack.launchRunning("r", 2)) as [Machine, Machine];
      const daemon = await pidIn(machine, "sleep 1000");
      await rack.faults({ kind: "freeze", machineId: machine.machineId, enabled: true });
      await rack.faults({ kind: "crash", machineId: other.machineId });
      await rack.kill("SIGKILL");
      await rack.restart();
      await until("the daemon stands still", async () => (await stateOf(daemon)) === "T");
      await rack.faults({ kind: "freeze", machineId: machine.machineId, enabled: false });
      await until("the daemon goes on", async () => (await stateOf(daemon)) === "S");
      await rack.faults({ kind: "crash", machineId: machine.machineId });
      expect((await rack.provider.events(0)).map(({ sequence }) => sequence)).toEqual([1, 2]);
    });

    test("a journal line cut short by a crash is left out", async () => {
      const [machine] = (await rack.launchRunning("r")) as [Machine];
      await rack.kill("SIGKILL");
      await appendFile(join(rack.home, "journal.jsonl"), '{"kind":"tombstones","reque');
      await rack.restart();
      expect(await rack.state(machine.machineId)).toBe("running");
    });
  });
}

const request = (rack: RackProcess) => ({
  requestId: "",
  fleet: "web",
  image: rack.image,
  hosts: [0, 1, 2].map((ordinal) => ({ hostId: `r-${ordinal}`, ordinal, zone: "a" })),
  authorizedKey: "ssh-ed25519 not looked at in a repeated call",
});

describe("the rack process", () => {
  test("is the only one of its state folder", async () => {
    const rack = await spawnRack({ isolation: "none", addresses: "single" });
    const second = await rack.restart().then(
      () => "started",
      (error: Error) => error.message,
    );
    expect(second).toContain("HOME_IN_USE");
    expect(await rack.provider.limits()).toHaveLength(3);
    await rack.end();
  });

  test("a call without a rack says so", async () => {
    const provider = createLocalComputeProvider({ socketPath: "/nonexistent/rack.sock" });
    expect(await codeOf(provider.capabilities())).toBe("PROVIDER_UNREACHABLE");
  });
});
