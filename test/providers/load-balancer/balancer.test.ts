import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { LoadBalancerState } from "../../../providers/load-balancer/load-balancer.ts";
import { Balancer } from "../../../providers/load-balancer/local/balancer.ts";
import type { SavedFleet } from "../../../providers/load-balancer/local/state-file.ts";
import { until } from "./load.ts";
import { startBackend } from "./test-backend.ts";

function stateOf(fleet: string, stateVersion: number, backends: LoadBalancerState["backends"] = []): LoadBalancerState {
  const healthCheck = { path: "/health", intervalMs: 60_000, unhealthyAfter: 3, healthyAfter: 1 };
  return { fleet, stateVersion, backends, preferNewest: "off", slowStartSeconds: 0, healthCheck };
}

describe("saved state of the balancer", () => {
  let folder: string;
  const balancers: Balancer[] = [];

  const balancerOver = (stateFile: string, nowMs: () => number = Date.now): Balancer => {
    const balancer = new Balancer({ stateFile, nowMs, logger: pino({ level: "silent" }) });
    balancers.push(balancer);
    return balancer;
  };

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "lb-"));
  });

  afterEach(async () => {
    await Promise.all(balancers.splice(0).map((balancer) => balancer.close()));
    await rm(folder, { recursive: true });
  });

  it("acknowledges a sync only once it is on disk, also when it is sent again", async () => {
    const stateFile = join(folder, "missing", "lb.json");
    const balancer = balancerOver(stateFile);
    await expect(balancer.sync(stateOf("web", 3))).rejects.toThrow("ENOENT");
    expect(balancer.stats("web").stateVersion).toBe(3);
    await mkdir(join(folder, "missing"));
    await balancer.sync(stateOf("web", 3));
    expect(JSON.parse(await readFile(stateFile, "utf8")).fleets[0].state.stateVersion).toBe(3);
  });

  it("goes on with a slow start where it was", async () => {
    let nowMs = 1_000_000;
    const stateFile = join(folder, "lb.json");
    const backends = ["a", "b"].map((hostId) => ({
      hostId,
      address: "127.0.0.1",
      port: 1,
      weight: 1,
      epoch: 1,
      draining: false,
    }));
    const before = balancerOver(stateFile, () => nowMs);
    await before.sync({ ...stateOf("web", 1, backends.slice(0, 1)), slowStartSeconds: 100 });
    nowMs += 50_000;
    await before.sync({ ...stateOf("web", 2, backends), slowStartSeconds: 100 });
    await before.close();
    nowMs += 10_000;
    const after = balancerOver(stateFile, () => nowMs);
    await after.restore();
    await after.sync({ ...stateOf("web", 3, backends), slowStartSeconds: 100 });
    const saved = JSON.parse(await readFile(stateFile, "utf8")).fleets[0];
    expect(saved.activeSinceMs).toEqual({ a: 1_000_000, b: 1_050_000 });
  });

  it("chooses another free port when the one it had is taken for good", async () => {
    let nowMs = 0;
    const stateFile = join(folder, "lb.json");
    const before = balancerOver(stateFile);
    await before.sync(stateOf("web", 1));
    const old = before.endpoint("web");
    const after = balancerOver(stateFile, () => (nowMs += 1000));
    await after.restore();
    expect(after.endpoint("web")).not.toBe(old);
    const saved = JSON.parse(await readFile(stateFile, "utf8")).fleets[0];
    expect(after.endpoint("web")).toBe(`http://127.0.0.1:${saved.bound.port}`);
  });

  it("serves the other fleets when one's own address cannot be bound, and binds it with a later sync", async () => {
    let nowMs = 0;
    const stateFile = join(folder, "lb.json");
    const before = balancerOver(stateFile);
    for (const fleet of ["fixed", "gone", "other"]) await before.sync(stateOf(fleet, 1));
    const other = before.endpoint("other");
    const fixed = before.endpoint("fixed").replace("http://", "");
    await before.sync({ ...stateOf("fixed", 2), listen: fixed });
    await before.close();
    // As when an interface has lost its address since; 192.0.2.0/24 is no machine's.
    const saved = JSON.parse(await readFile(stateFile, "utf8"));
    const gone = saved.fleets.find((one: SavedFleet) => one.state.fleet === "gone");
    gone.state.listen = "192.0.2.1:80";
    gone.bound = { address: "192.0.2.1", port: 80 };
    await writeFile(stateFile, JSON.stringify(saved));
    const [host = "", port = ""] = fixed.split(":");
    const blocker = createServer().listen(Number(port), host);
    await once(blocker, "listening");

    const after = balancerOver(stateFile, () => (nowMs += 1000));
    await after.restore();
    expect(after.endpoints()).toEqual({ other });
    expect(() => after.endpoint("fixed")).toThrow(expect.objectContaining({ code: "PORT_IN_USE" }));
    expect(() => after.endpoint("fixed")).toThrow(fixed);
    await expect(after.sync({ ...stateOf("gone", 2), listen: "192.0.2.1:80" })).rejects.toMatchObject({
      code: "INVALID_REQUEST",
      message: "cannot listen on 192.0.2.1:80: no interface of this machine has the address",
    });
    await after.sync(stateOf("other", 2));
    expect(JSON.parse(await readFile(stateFile, "utf8")).fleets).toHaveLength(3);
    await expect(after.sync({ ...stateOf("fixed", 2), listen: fixed })).rejects.toMatchObject({ code: "PORT_IN_USE" });
    await new Promise((resolve) => blocker.close(resolve));
    await after.sync({ ...stateOf("fixed", 2), listen: fixed });
    expect(after.endpoint("fixed")).toBe(`http://${fixed}`);
    await after.sync(stateOf("gone", 2));
    expect(Object.keys(after.endpoints())).toEqual(["fixed", "gone", "other"]);
  });

  it("syncs one fleet while another one is removed with requests open", async () => {
    const slow = await startBackend("slow");
    slow.hold = true;
    const balancer = balancerOver(join(folder, "lb.json"));
    await balancer.sync(stateOf("web", 1, [slow.as()]));
    const open = fetch(balancer.endpoint("web"));
    await until(() => slow.held.length === 1, "the request");
    const removed = balancer.remove("web");
    await balancer.sync(stateOf("other", 1));
    expect(slow.held).toHaveLength(1);
    slow.release();
    expect(await (await open).text()).toBe("slow");
    await removed;
    await slow.close();
  });
});
