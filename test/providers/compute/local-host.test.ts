import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { sendSignal } from "../../../providers/compute/local/process-table.ts";
import type { Machine } from "../../../providers/compute/compute-provider.ts";
import { hostPids } from "../../../providers/compute/local/host-processes.ts";
import { newHostKey } from "../../../providers/compute/local/host-key.ts";
import { hasBwrap, openRack, until } from "./local-rack.ts";
import type { RackAccess } from "./local-rack.ts";
import { askSocket, finish, login, open, runOn } from "./ssh-login.ts";

const settings = [
  { isolation: "none", addresses: "loopback-range" },
  { isolation: "none", addresses: "single" },
  { isolation: "bwrap", addresses: "loopback-range" },
] as const;

const isRefused = (address: string, port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = connect({ host: address, port });
    socket.once("connect", () => resolve(false));
    socket.once("error", () => resolve(true));
  });

/** A server on a Unix socket of the host that answers every line in capitals. */
const socketServer = `
const path = process.env.FOREWARM_ROOT + "/var/lib/forewarm/agent.sock";
require("node:fs").mkdirSync(require("node:path").dirname(path), { recursive: true });
require("node:net").createServer((s) => s.on("data", (d) => s.write(String(d).toUpperCase()))).listen(path, () => console.log("listening"));
`;

for (const setting of settings) {
  const { isolation, addresses } = setting;
  describe.skipIf(isolation === "bwrap" && !hasBwrap)(`a host, isolation ${isolation}, addresses ${addresses}`, () => {
    let rack: RackAccess & { end(): Promise<void> };
    let machine: Machine;
    beforeEach(async () => {
      rack = await openRack(setting);
      [machine] = (await rack.launchRunning("r")) as [Machine];
    });
    afterEach(() => rack.end());
    const endpoint = () => machine.endpoint!;
    const root = () => join(rack.home, "hosts", machine.machineId, "root");
    const pids = () => hostPids({ machineId: machine.machineId, init: null });

    test("runs a command with its output, error output and exit code", async () => {
      const result = await runOn(endpoint(), "cat $FOREWARM_ROOT/opt/app/greeting.txt; echo oh >&2; exit 3");
      expect(result).toEqual({ code: 3, signal: null, stdout: "good morning\n", stderr: "oh\n" });
    });

    test("hands standard input to the command, up to a megabyte", async () => {
      const text = "0123456789abcdef".repeat(65_536);
      const result = await runOn(endpoint(), "cat > $HOME/copy && wc -c < $HOME/copy", text);
      expect(Number(result.stdout)).toBe(text.length);
      expect(await readFile(join(root(), "home/forewarm/copy"), "utf8")).toBe(text);
    });

    test("delivers a large output whole", async () => {
      const result = await runOn(
        endpoint(),
        "head -c 5000000 /dev/zero | tr '\\0' x; head -c 3000000 /dev/zero | tr '\\0' y >&2",
      );
      expect([result.stdout.length, result.stderr.length, result.code]).toEqual([5_000_000, 3_000_000, 0]);
    });

    test("tells processes who and where they are", async () => {
      const { stdout } = await runOn(
        endpoint(),
        'echo "$FOREWARM_HOST_ID $FOREWARM_ADDRESS $FOREWARM_PORT"; pwd; which node',
      );
      const { hostId, address, servicePort } = endpoint();
      const [who, where, node] = stdout.split("\n");
      expect(who).toBe(`${hostId} ${address} ${servicePort}`);
      expect(where).toMatch(isolation === "bwrap" ? /^\/home\/forewarm$/ : /\/root\/home\/forewarm$/);
      expect(node).toContain("node");
    });

    test("the KILL signal ends the whole process group of a command", async () => {
      const client = await login(endpoint());
      const before = pids().length;
      const channel = await open(client, "sleep 1000 & sleep 1000 & wait");
      const ended = finish(channel);
      await until("both sleeps run", () => pids().length >= before + 3);
      channel.signal("KILL");
      expect(await ended).toMatchObject({ code: null, signal: "SIGKILL" });
      await until("no process of the command is left", () => pids().length === before);
      client.end();
    });

    test("gives a command its own terminal when asked to", async () => {
      const client = await login(endpoint());
      const channel = await open(client, "tty; stty size; echo $TERM; exit 4", { rows: 33, cols: 99, term: "vt100" });
      const { stdout, code } = await finish(channel);
      expect(stdout).toMatch(/^\/dev\/pts\/\d+\r\n33 99\r\nvt100\r\n/);
      expect(code).toBe(4);
      client.end();
    });

    test("a daemon outlives the connection that started it", async () => {
      const before = new Set(pids());
      await runOn(endpoint(), "setsid sleep 1000 >/dev/null 2>&1 </dev/null &");
      const [daemon, ...others] = pids().filter((pid) => !before.has(pid));
      expect(others).toEqual([]);
      const program = () => readFile(`/proc/${daemon}/cmdline`, "utf8");
      await until("setsid has become sleep", async () => (await program()) === "sleep\x001000\0");
    });

    test("forwards to a Unix socket that the host names by its own path", async () => {
      const client = await login(endpoint());
      const channel = await open(client, `exec node -e '${socketServer}'`);
      await new Promise((resolve) => channel.once("data", resolve));
      expect(await askSocket(endpoint(), "/var/lib/forewarm/agent.sock", "hello")).toBe("HELLO");
      const missing = await askSocket(endpoint(), "/var/lib/forewarm/none.sock", "hello").catch(
        (error: Error) => error.message,
      );
      expect(missing).toMatch(/open failed|failure/i);
      channel.signal("KILL");
      client.end();
    });

    test("lets in only the launch request's key, for its own user", async () => {
      const refused = (change: object) => login(endpoint(), change).catch((error: { level: string }) => error.level);
      expect(await refused({ privateKey: newHostKey() })).toBe("client-authentication");
      expect(await refused({ username: "root" })).toBe("client-authentication");
      expect(await refused({ privateKey: undefined, password: "forewarm" })).toBe("client-authentication");
    });

    test("a terminated host leaves no process, no folder and no listener", async () => {
      await runOn(endpoint(), "setsid sleep 1000 >/dev/null 2>&1 </dev/null &");
      expect(pids().length).toBeGreaterThan(0);
      expect(existsSync(root())).toBe(true);
      await rack.provider.terminate([machine.machineId]);
      expect(pids()).toEqual([]);
      expect(existsSync(join(rack.home, "hosts", machine.machineId))).toBe(false);
      expect(await isRefused(endpoint().address, endpoint().sshPort)).toBe(true);
    });

    test("a stopped host has no process, keeps its disk, and answers again with the same key", async () => {
      await runOn(endpoint(), "echo kept > $HOME/note; setsid sleep 1000 >/dev/null 2>&1 </dev/null &");
      await rack.provider.stop(machine.machineId);
      expect(pids()).toEqual([]);
      expect(await login(endpoint()).catch(({ level }: { level: string }) => level)).toBe("client-socket");
      await rack.provider.start(machine.machineId);
      await until("it runs again", async () => (await rack.state(machine.machineId)) === "running");
      expect(await runOn(endpoint(), "cat $HOME/note")).toMatchObject({ code: 0, stdout: "kept\n" });
    });

    test("the end of the first process is a crash", async () => {
      for (const pid of pids()) sendSignal(pid, "SIGKILL");
      await until("the crash is noticed", async () => (await rack.state(machine.machineId)) === "stopped");
      expect(await rack.provider.events(0)).toMatchObject([{ kind: "crashed", machineId: machine.machineId }]);
      expect(pids()).toEqual([]);
    });

    test("launches 20 hosts at once within seconds", async () => {
      const started = performance.now();
      const machines = await rack.launchRunning("many", 20);
      const answers = await Promise.all(machines.map((host) => runOn(host.endpoint!, "echo $FOREWARM_HOST_ID")));
      expect(answers.map(({ stdout }) => stdout.trim())).toEqual(machines.map(({ hostId }) => hostId));
      expect(performance.now() - started).toBeLessThan(8000);
    });

    test("shows the computer's files read-only and other hosts not at all, where it has walls", async () => {
      const [other] = (await rack.launchRunning("other")) as [Machine];
      const probe = `touch /usr/forewarm-probe 2>/dev/null && echo written; rm -f /usr/forewarm-probe; ls ${rack.home} 2>/dev/null; hostname`;
      const { stdout } = await runOn(other.endpoint!, isolation === "bwrap" ? probe : "echo no walls here");
      expect(stdout.trim()).toBe(isolation === "bwrap" ? other.hostId : "no walls here");
    });
  });
}

describe("a rack with a long state folder", () => {
  test("still reaches Unix sockets below a host's root", async () => {
    const rack = await openRack({ isolation: "none", addresses: "single" }, "long-".repeat(24));
    const [machine] = (await rack.launchRunning("r")) as [Machine];
    const client = await login(machine.endpoint!);
    const channel = await open(client, `exec node -e '${socketServer}'`);
    await new Promise((resolve) => channel.once("data", resolve));
    expect(await askSocket(machine.endpoint!, "/var/lib/forewarm/agent.sock", "hello")).toBe("HELLO");
    client.end();
    await rack.end();
  });
});

describe("addresses", () => {
  test("in the loopback range the service port is the request's", async () => {
    const rack = await openRack({ isolation: "none", addresses: "loopback-range" });
    const [asked] = await rack.launch("asked", 1, 9999);
    const [unasked] = await rack.launch("unasked");
    expect(asked!.endpoint).toMatchObject({ sshPort: 2222, servicePort: 9999 });
    expect(asked!.endpoint!.address).toMatch(/^127\.1\.\d+\.\d+$/);
    expect(unasked!.endpoint!.servicePort).toBe(8080);
    await rack.end();
  });

  test("on a single address all ports differ, also between two racks", async () => {
    const racks = await Promise.all([1, 2].map(() => openRack({ isolation: "none", addresses: "single" })));
    const machines = (await Promise.all(racks.map((rack) => rack.launch("r", 5, 9999)))).flat();
    const ports = machines.flatMap(({ endpoint }) => [endpoint!.sshPort, endpoint!.servicePort]);
    expect(new Set(ports).size).toBe(20);
    expect(new Set(machines.map(({ endpoint }) => endpoint!.address))).toEqual(new Set(["127.0.0.1"]));
    await Promise.all(racks.map((rack) => rack.end()));
  });
});
