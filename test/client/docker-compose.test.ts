import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { searchAttributes } from "../../embedded/temporal-server/start.ts";

const root = new URL("../../", import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), "utf8");

const serviceSchema = z.object({
  image: z.string().optional(),
  build: z.string().optional(),
  environment: z.record(z.string(), z.string()).default({}),
  ports: z.array(z.string()).default([]),
  volumes: z.array(z.string()).default([]),
  depends_on: z.record(z.string(), z.object({ condition: z.string() })).default({}),
  healthcheck: z.object({ test: z.array(z.string()).min(2) }).optional(),
});
const composeSchema = z.object({
  services: z.record(z.string(), serviceSchema),
  volumes: z.record(z.string(), z.null()),
});
const { services, volumes } = composeSchema.parse(parse(read("docker-compose.yml")));
const named = Object.entries(services);
const healthy = { condition: "service_healthy" };
const completed = { condition: "service_completed_successfully" };

describe("docker-compose.yml", () => {
  it("has Postgres, Temporal with its set-up jobs and Web UI, and a worker built here", () => {
    expect(Object.keys(services).sort()).toEqual([
      "postgres",
      "temporal",
      "temporal-schema",
      "temporal-setup",
      "temporal-ui",
      "worker",
    ]);
    expect(services["worker"]!.build).toBe(".");
    expect(Number(/:-(\d+)\}$/.exec(services["postgres"]!.image ?? "")?.[1])).toBeGreaterThanOrEqual(15);
  });

  it("starts each part after what it needs", () => {
    expect(services["temporal-schema"]!.depends_on).toEqual({ postgres: healthy });
    expect(services["temporal"]!.depends_on).toEqual({ "temporal-schema": completed });
    expect(services["temporal-setup"]!.depends_on).toEqual({ temporal: healthy });
    expect(services["temporal-ui"]!.depends_on).toEqual({ temporal: healthy });
    expect(services["worker"]!.depends_on).toEqual({ postgres: healthy, "temporal-setup": completed });
  });

  it("checks the health of everything that another part waits for", () => {
    const awaited = named.flatMap(([, { depends_on }]) =>
      Object.entries(depends_on).filter(([, { condition }]) => condition === "service_healthy"),
    );
    expect(awaited.map(([name]) => name)).toEqual(expect.arrayContaining(["postgres", "temporal"]));
    expect(awaited.filter(([name]) => services[name]!.healthcheck === undefined)).toEqual([]);
  });

  it("binds every port to this machine only", () => {
    const ports = named.flatMap(([, service]) => service.ports);
    expect(ports).toHaveLength(3);
    for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:\$\{\w+:-\d+\}:\d+$/);
  });

  it("keeps data in volumes that are declared, and mounts only files that exist, read-only", () => {
    const mounts = named.flatMap(([, service]) => service.volumes);
    const [files, data] = [
      mounts.filter((mount) => mount.startsWith(".")),
      mounts.filter((mount) => !mount.startsWith(".")),
    ];
    expect(new Set(data.map((mount) => mount.split(":")[0]))).toEqual(new Set(Object.keys(volumes)));
    for (const file of files) {
      expect(file).toMatch(/:ro$/);
      expect(existsSync(new URL(file.split(":")[0]!, root))).toBe(true);
    }
  });

  it("pins every image to a version that can be overridden", () => {
    const images = named.flatMap(([, { image }]) => (image === undefined ? [] : [image]));
    for (const image of images) expect(image).toMatch(/^[\w./-]+:\$\{FOREWARM_\w+:-[\d.]+\}$/);
  });

  it("takes every password from one variable, whose default is for this machine only", () => {
    const secrets = named.flatMap(([, { environment }]) =>
      Object.entries(environment).filter(([key]) => /PASSWORD|PWD|DATABASE_URL/.test(key)),
    );
    expect(secrets).toHaveLength(4);
    for (const [, value] of secrets) expect(value).toContain("${FOREWARM_POSTGRES_PASSWORD:-forewarm}");
  });

  it("gives the worker the Temporal server and the Postgres of this file", () => {
    expect(services["worker"]!.environment).toMatchObject({
      TEMPORAL_ADDRESS: "temporal:7233",
      DATABASE_URL: expect.stringMatching(/^postgres:\/\/forewarm:[^@]+@postgres:5432\/forewarm$/),
    });
  });

  it("hands the server the dynamic configuration that Forewarm is measured with", () => {
    const { environment, volumes: mounts } = services["temporal"]!;
    expect(mounts).toEqual([`./docker/dynamic-config.yaml:${environment["DYNAMIC_CONFIG_FILE_PATH"]}:ro`]);
    expect(parse(read("docker/dynamic-config.yaml"))).toEqual({
      "history.transferProcessorMaxPollRPS": [{ value: 2000 }],
      "history.timerProcessorMaxPollRPS": [{ value: 2000 }],
      "matching.useNewMatcher": [{ value: true }],
    });
  });

  it("registers exactly the search attributes of the embedded server", () => {
    const [, list] = /<<'ATTRIBUTES'\n([^]*)\nATTRIBUTES/.exec(read("docker/temporal-setup.sh"))!;
    expect(Object.fromEntries(list!.split("\n").map((line) => line.split(" ")))).toEqual(searchAttributes);
  });

  it.each(["docker/temporal-schema.sh", "docker/temporal-setup.sh"])(
    "%s is a shell script without errors of form",
    (path) => {
      expect(spawnSync("sh", ["-n", fileURLToPath(new URL(path, root))])).toMatchObject({ status: 0 });
    },
  );
});

const composeCommands = [["docker", "compose"], ["docker-compose"]];
const compose = composeCommands.find(
  ([program, ...words]) => spawnSync(program!, [...words, "version"], { stdio: "ignore" }).status === 0,
);

describe.skipIf(compose === undefined)("docker compose config (skipped without Docker Compose)", () => {
  it("takes the file as valid", () => {
    const [program, ...words] = compose!;
    const checked = spawnSync(program!, [...words, "config", "-q"], { cwd: fileURLToPath(root), encoding: "utf8" });
    expect(checked).toMatchObject({ status: 0, stderr: "" });
  });
});
