import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newHome, processesNaming, removeHome } from "../embedded/stack-kit.ts";
import { eventually } from "../workflows/running-fleet.ts";
import { buildOnce, executable, forewarm, templateText, type Finished } from "./local-stack.ts";

const parse = ({ out }: Finished): Record<string, unknown> => JSON.parse(out) as Record<string, unknown>;
const claimIn = ({ out }: Finished): Record<string, unknown> => (JSON.parse(out) as Record<string, unknown>[])[0]!;

interface StatusRecord {
  golden_epoch: number | null;
  hosts: { host: string; state: string; epoch: number; claimable: boolean }[];
}

/** One user, one fleet, from nothing to nothing; each test goes on where the one before it ended. */
describe.skipIf(executable === "")("a user's session (needs the `temporal` program)", () => {
  let home: string;
  let file: string;

  const run = (...args: string[]): Promise<Finished> => forewarm(home, ...args);
  const json = (...args: string[]): Promise<Finished> => forewarm(home, "--output", "json", ...args);
  const status = async (): Promise<StatusRecord> =>
    parse(await json("status", "web", "--hosts")) as unknown as StatusRecord;

  beforeAll(() => {
    buildOnce();
    home = newHome();
    file = join(home, "web.yaml");
  });
  afterAll(async () => removeHome(home));

  test("init writes a template that validate accepts", async () => {
    const started = join(home, "fleet.yaml");
    expect(await run("init", started)).toMatchObject({ code: 0 });
    expect(await run("validate", started)).toMatchObject({ code: 0 });
    expect(await run("init", started)).toMatchObject({ code: 1 });
  });

  test("a mistake in a template is shown where it is", async () => {
    writeFileSync(file, templateText({ fleet: "web" }).replace('"standby"', '"standbye"'));
    const refused = await run("validate", file);
    expect(refused.code).toBe(1);
    expect(`${refused.out}${refused.err}`).toMatch(/web\.yaml:\d+:\d+ .*standbye[\s\S]*did you mean[\s\S]*standby/i);
  });

  test("without a stack, commands say how to start one", async () => {
    const lost = await run("status", "web");
    expect(lost.code).toBe(1);
    expect(lost.err).toContain("forewarm up");
  });

  test("up --detach starts everything and says where it is", async () => {
    const up = await json("up", "--detach", "--isolation", "none");
    expect(up.code).toBe(0);
    expect(parse(up)).toMatchObject({ home, isolation: "none" });
    const again = await run("up", "--detach");
    expect(again.code).toBe(1);
    expect(again.err).toContain("HOME_IN_USE");
  });

  test("a fleet that does not exist is named", async () => {
    const unknown = await run("status", "web");
    expect(unknown.code).toBe(1);
    expect(unknown.err).toContain("FLEET_UNKNOWN");
  });

  test("plan shows a new fleet with exit code 2, and changes nothing", async () => {
    writeFileSync(file, templateText({ fleet: "web" }));
    const plan = await json("plan", file, "--detailed-exitcode");
    expect(plan.code).toBe(2);
    expect(parse(plan)).toMatchObject({ fleet: "web", exists: false, golden_changes: true });
    expect((await run("status", "web")).code).toBe(1);
  });

  test("apply starts the fleet, and status shows its hosts become ready", async () => {
    const applied = await json("apply", file);
    expect(applied.code).toBe(0);
    expect(parse(applied)).toMatchObject({ changed: true, golden_epoch: 1, workflow_id: "fleet/web" });
    await eventually(
      "one serves, two stand by",
      async () => {
        const { hosts } = await status();
        const states = hosts.map((host) => host.state).sort();
        return states.join() === "serving,standby,standby";
      },
      60_000,
    );
    expect((await run("status", "web")).out).toContain("standby");
    expect((await run("plan", file, "--detailed-exitcode")).code).toBe(0);
    expect(parse(await json("apply", file))).toMatchObject({ changed: false, golden_epoch: 1 });
  });

  test("claim gives a warm host, the same one for the same id; release gives it back", async () => {
    const first = await json("claim", "web", "--id", "mine");
    expect(first.code).toBe(0);
    expect(claimIn(first)).toMatchObject({ claim_id: "mine", kind: "granted", epoch: 1 });
    const claimed = claimIn(first)["host"] as string;
    expect(claimIn(await json("claim", "web", "--id", "mine"))["host"]).toBe(claimed);
    const { hosts } = await status();
    expect(hosts.find((host) => host.host === claimed)?.state).toBe("serving");
    expect((await run("release", "web", "mine")).code).toBe(0);
    await eventually("the fleet is at rest", async () => {
      const { hosts: now } = await status();
      const isIdle = now.every(
        (host) => host.state === "standby" || (host.state === "serving" && host.host !== claimed),
      );
      return isIdle && now.length === 3;
    });
    const over = await run("claim", "web", "--id", "mine");
    expect(over.code).not.toBe(0);
    expect(over.err).toContain("CLAIM_REFUSED");
  });

  test("named hosts go into rotation and out of it; a wrong one is refused", async () => {
    const warm = (await status()).hosts.find((host) => host.claimable)!.host;
    expect((await run("promote", "web", warm)).code).toBe(0);
    const twice = await run("promote", "web", warm);
    expect(twice.code).toBe(3);
    expect(twice.err).toContain("POLICY_REFUSED");
    expect((await run("demote", "web", warm)).code).toBe(0);
    expect((await run("promote", "web", "web-999")).err).toContain("NOT_FOUND");
  });

  test("a host is held back, listed so, and given back", async () => {
    const warm = await eventually("one is claimable", async () =>
      (await status()).hosts.find((host) => host.claimable),
    );
    const held = warm.host;
    expect((await run("host", "cordon", "web", held)).code).toBe(0);
    expect((await run("host", "list", "web")).out).toMatch(new RegExp(`${held} .*standby, cordoned`));
    expect((await run("promote", "web", held)).code).toBe(3);
    expect((await run("host", "uncordon", "web", held)).code).toBe(0);
    expect((await run("host", "list", "web")).out).not.toContain("cordoned");
  });

  test("a template that cannot be read leaves the fleet as it is", async () => {
    const before = await status();
    const bad = join(home, "bad.yaml");
    writeFileSync(bad, templateText({ fleet: "web", minServing: 90 }));
    const refused = await run("apply", bad);
    expect(refused.code).toBe(1);
    expect((await run("apply", join(home, "missing.yaml"))).code).toBe(1);
    expect((await status()).golden_epoch).toBe(before.golden_epoch);
    expect(parse(await json("plan", file))).toMatchObject({ changes: [], golden_changes: false });
  });

  test("an edited golden reaches every host, and users see it", async () => {
    writeFileSync(file, templateText({ fleet: "web", greeting: "good evening" }));
    const plan = await run("plan", file, "--detailed-exitcode");
    expect(plan.code).toBe(2);
    expect(plan.out).toContain("the golden moves to epoch 2");
    expect(parse(await json("apply", file))).toMatchObject({ changed: true, golden_epoch: 2 });
    await eventually(
      "every host is at epoch 2",
      async () => {
        const { hosts, golden_epoch } = await status();
        return golden_epoch === 2 && hosts.length >= 3 && hosts.every((host) => host.epoch === 2);
      },
      60_000,
    );
    const { endpoint } = parse(await json("status", "web")) as { endpoint: string };
    const answer = await fetch(endpoint);
    expect(answer.status).toBe(200);
    expect(await answer.text()).toContain("good evening");
  });

  test("down ends everything, hosts too, and up resumes the fleet", async () => {
    expect((await run("down")).code).toBe(0);
    expect(processesNaming(home)).toEqual([]);
    expect(readFileSync(join(home, "logs", "worker.log"), "utf8")).not.toContain('"level":50');
    expect((await run("up", "--detach", "--isolation", "none")).code).toBe(0);
    await eventually(
      "the fleet is whole again",
      async () => {
        const { hosts, golden_epoch } = await status();
        const ready = hosts.filter((host) => host.state === "serving" || host.claimable);
        return golden_epoch === 2 && ready.length >= 3;
      },
      60_000,
    );
    expect((await run("down")).code).toBe(0);
    expect(processesNaming(home)).toEqual([]);
  });
});
