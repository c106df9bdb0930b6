import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, join, normalize } from "node:path";
import { describe, expect, test } from "vitest";

const root = new URL("..", import.meta.url).pathname;

/** Every file that is or will be committed. */
const files = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], { cwd: root })
  .toString()
  .split("\n")
  .filter((file) => file !== "" && existsSync(join(root, file)));

const code = files.filter((file) => /\.(ts|mjs)$/.test(file));
const source = code.filter((file) => !/^(test|bench|examples)\//.test(file));
const textOf = (file: string): string => readFileSync(join(root, file), "utf8");

interface Layer {
  /** Folders or files it may import at run time, besides its own. */
  runtime: readonly string[];
  /** Folders or files it may take types from as well. */
  types?: readonly string[];
  packages: readonly string[];
  /** False where code must be free of input and output. */
  builtins: boolean;
}

const portFiles = [
  "providers/compute/compute-provider.ts",
  "providers/load-balancer/load-balancer.ts",
  "providers/node/node-channel.ts",
  "providers/metrics/metric-source.ts",
  "providers/store/store.ts",
  "providers/alerts/alert-sink.ts",
];
const temporal = (...names: string[]): string[] => ["common", ...names].map((name) => `@temporalio/${name}`);

/** Who may import whom: the table of the design. zod reads what crosses a process boundary, wherever that is. */
const layers: Record<string, Layer> = {
  schema: { runtime: [], packages: ["zod", "yaml"], builtins: false },
  domain: { runtime: [], types: ["schema/"], packages: [], builtins: false },
  configuration: {
    runtime: ["domain/"],
    types: ["schema/"],
    packages: ["ajv", "@marcbachmann/cel-js"],
    builtins: false,
  },
  models: { runtime: ["domain/"], types: ["schema/"], packages: [], builtins: true },
  providers: { runtime: ["domain/", "schema/"], types: portFiles, packages: ["zod", "pino"], builtins: true },
  activities: {
    runtime: ["domain/", "configuration/", "models/", "schema/", ...portFiles],
    types: ["workflows/messages.ts"],
    packages: temporal("activity"),
    builtins: true,
  },
  workflows: {
    runtime: ["domain/"],
    types: ["activities/", "schema/"],
    packages: temporal("workflow"),
    builtins: false,
  },
  agent: { runtime: ["domain/", "configuration/"], types: ["schema/"], packages: [], builtins: true },
  simulation: {
    runtime: ["domain/", "models/", "schema/", "providers/compute/simulated/"],
    types: ["providers/compute/compute-provider.ts"],
    packages: [],
    builtins: true,
  },
  client: {
    runtime: [
      "schema/",
      "domain/",
      "configuration/",
      "simulation/",
      "embedded/",
      "workflows/messages.ts",
      // Who starts a fleet sets the search attributes that its workflow keeps up.
      "workflows/search-attributes.ts",
    ],
    types: ["workflows/"],
    packages: [...temporal("client", "envconfig"), "commander", "@bomb.sh/tab", "zod"],
    builtins: true,
  },
  embedded: { runtime: ["schema/", "domain/"], packages: ["zod"], builtins: true },
  worker: {
    runtime: ["schema/", "domain/", "configuration/", "models/", "providers/", "activities/", "workflows/"],
    packages: [...temporal("worker", "client", "envconfig"), "pino", "prom-client", "zod"],
    builtins: true,
  },
};

/** Packages of single files and folders, on top of those of their layer. */
const ownPackages: Record<string, readonly string[]> = {
  "models/onnx.ts": ["onnxruntime-node"],
  "models/augurs": ["augurs"],
  "models/arima": ["arima"],
  "providers/compute/local/": ["ssh2"],
  "providers/compute/aws/": ["@aws-sdk/client-ec2"],
  "providers/load-balancer/local/": ["undici"],
  "providers/node/ssh/": ["node-ssh", "ssh2"],
  "providers/store/": ["kysely"],
  "providers/store/pglite/": ["@electric-sql/pglite"],
  "providers/store/postgres/": ["pg"],
  // The fleet's SSH key is made in the form that ssh2 reads.
  "embedded/keys.ts": ["ssh2"],
};

interface Import {
  target: string;
  /** A file of this repository. */
  isOurs: boolean;
  typeOnly: boolean;
  /** Loaded when a line is reached, not when the file is. */
  isDeferred: boolean;
}

const statement = /^\s*(import|export)\s+(type\s+(?!from\b))?(?:[\w*{}\s,$]+?\s+from\s+)?["']([^"']+)["']/gm;
const dynamic = /\bimport\(\s*["']([^"']+)["']\s*\)/g;

/** The imports of a file; relative ones as paths from the root. */
function importsOf(file: string, text: string): Import[] {
  const found = [
    ...[...text.matchAll(statement)].map((match) => ({
      target: match[3]!,
      typeOnly: match[2] !== undefined,
      isDeferred: false,
    })),
    ...[...text.matchAll(dynamic)].map((match) => ({ target: match[1]!, typeOnly: false, isDeferred: true })),
  ];
  const place = (target: string): string => (target.startsWith(".") ? normalize(join(dirname(file), target)) : target);
  return found.map(({ target, typeOnly, isDeferred }) => ({
    target: place(target),
    isOurs: target.startsWith("."),
    typeOnly,
    isDeferred,
  }));
}

const layerOf = (file: string): string => file.split("/")[0] ?? "";

const within = (target: string, places: readonly string[]): boolean =>
  places.some((place) => (place.endsWith("/") ? target.startsWith(place) : target === place));

/** The folder that an implementation of a port may see: its own, and the files beside the port. */
function ownPart(file: string, target: string): boolean {
  const [layer, port, implementation] = file.split("/");
  if (layer !== "providers") return target.startsWith(`${layer}/`);
  const isBesidePort = new RegExp(`^providers/${port}/[^/]+\\.ts$`).test(target);
  const isOwn = file.split("/").length > 3 && target.startsWith(`providers/${port}/${implementation}/`);
  return isBesidePort || isOwn;
}

function isAllowed(file: string, { target, isOurs, typeOnly }: Import): boolean {
  const layer = layers[layerOf(file)]!;
  if (target.startsWith("node:")) return layer.builtins;
  if (isOurs) {
    return ownPart(file, target) || within(target, [...layer.runtime, ...(typeOnly ? (layer.types ?? []) : [])]);
  }
  const name = target.split("/", target.startsWith("@") ? 2 : 1).join("/");
  const own = Object.entries(ownPackages).filter(([place]) => file.startsWith(place));
  return [...layer.packages, ...own.flatMap(([, names]) => names)].includes(name);
}

function offences(file: string, text: string): string[] {
  if (!Object.hasOwn(layers, layerOf(file))) return [];
  return importsOf(file, text)
    .filter((found) => !isAllowed(file, found))
    .map(({ target, typeOnly }) => `${file} may not import ${typeOnly ? "types of " : ""}${target}`);
}

describe("layers", () => {
  test("import only what the table allows", () => {
    expect(source.flatMap((file) => offences(file, textOf(file)))).toEqual([]);
  });

  test.each([
    ["domain/errors.ts", 'import { z } from "zod";', "domain/errors.ts may not import zod"],
    ["domain/errors.ts", 'import { readFile } from "node:fs";', "domain/errors.ts may not import node:fs"],
    [
      "domain/errors.ts",
      'import {\n  a,\n} from "../schema/load-template.ts";',
      "domain/errors.ts may not import schema/load-template.ts",
    ],
    [
      "domain/errors.ts",
      'export * from "../models/forecaster.ts";',
      "domain/errors.ts may not import models/forecaster.ts",
    ],
    ["client/cli.ts", 'const a = await import("../worker/main.ts");', "client/cli.ts may not import worker/main.ts"],
    [
      "workflows/fleet.ts",
      'import type { A } from "../client/config.ts";',
      "workflows/fleet.ts may not import types of client/config.ts",
    ],
    [
      "providers/compute/local/rack.ts",
      'import "../../node/ssh/shell.ts";',
      "providers/compute/local/rack.ts may not import providers/node/ssh/shell.ts",
    ],
    [
      "activities/store.ts",
      'import { a } from "../providers/store/sql-store.ts";',
      "activities/store.ts may not import providers/store/sql-store.ts",
    ],
  ])("name the offence in %s: %s", (file, text, offence) => {
    expect(offences(file, text)).toEqual([offence]);
  });

  test.each([
    ["domain/errors.ts", 'import type { A } from "../schema/fleet-template.ts";'],
    ["providers/compute/local/rack.ts", 'import { Server } from "ssh2";\nimport { A } from "../compute-provider.ts";'],
    ["worker/main.ts", 'import { a } from "../providers/store/pglite/open-pglite-store.ts";'],
  ])("let %s pass: %s", (file, text) => {
    expect(offences(file, text)).toEqual([]);
  });
});

/** Everything loaded before the first line of an action runs. */
function loadedAtStart(file: string, seen = new Set<string>()): Set<string> {
  if (seen.has(file)) return seen;
  seen.add(file);
  for (const { target, isOurs, typeOnly, isDeferred } of importsOf(file, textOf(file))) {
    if (typeOnly || isDeferred) continue;
    if (isOurs) loadedAtStart(target, seen);
    else seen.add(target);
  }
  return seen;
}

test("the command line loads no package but commander before an action runs", () => {
  const loaded = [...loadedAtStart("client/cli.ts")].filter(
    (name) => !name.endsWith(".ts") && !name.startsWith("node:"),
  );
  expect(loaded).toEqual(["commander"]);
});

describe("files", () => {
  test("have at most 300 lines, tests and benchmarks 500", () => {
    const tooLong = code.flatMap((file) => {
      const lines = textOf(file).split("\n").length - 1;
      return lines > (/^(test|bench)\//.test(file) ? 500 : 300) ? [`${file} has ${lines} lines`] : [];
    });
    expect(tooLong).toEqual([]);
  });

  test("are named for what they hold, in kebab-case", () => {
    const vague = /(^|\/)(src|utils?|helpers?|common|misc|types?)(\/|\.\w+$)/;
    const kebab = /^[a-z0-9]+(-[a-z0-9]+)*(\.(test|config|d))?\.(ts|mjs)$/;
    expect(code.filter((file) => vague.test(file) || !kebab.test(basename(file)))).toEqual([]);
  });

  test("have no default exports and re-export nothing wholesale", () => {
    const offending = /^export (default\b|\*)/m;
    const allowed = (file: string): boolean => file === "workflows/index.ts" || file.endsWith(".config.ts");
    expect(code.filter((file) => !allowed(file) && offending.test(textOf(file)))).toEqual([]);
  });

  test("read the environment only in config.ts", () => {
    const readers = source.filter((file) => basename(file) !== "config.ts" && textOf(file).includes("process.env"));
    expect(readers).toEqual([]);
  });

  test("name no place of one machine and leave nothing undone", () => {
    // Put together here so that this file does not find itself.
    const forbidden = new RegExp(
      [
        ["/wo", "rk/"],
        ["/ro", "ot/"],
        ["\\bTO", "DO\\b"],
        ["\\bFIX", "ME\\b"],
      ]
        .map((parts) => parts.join(""))
        .join("|"),
    );
    const text = files.filter(
      (file) => /\.(ts|mjs|md|json|ya?ml|toml|sh)$|^\.[\w-]+$/.test(file) && file !== "package-lock.json",
    );
    expect(text.filter((file) => forbidden.test(textOf(file)))).toEqual([]);
  });
});

describe("packages", () => {
  interface Manifest {
    version?: string;
    resolved?: string;
    dependencies?: Record<string, string>;
    devDependencies?: Record<string, string>;
  }
  const read = (file: string): Manifest & { packages?: Record<string, Manifest> } => JSON.parse(textOf(file));
  const locked = Object.entries(read("package-lock.json").packages ?? {});

  test("are pinned to exact versions", () => {
    const { dependencies, devDependencies } = read("package.json");
    const loose = Object.entries({ ...dependencies, ...devDependencies }).filter(
      ([, version]) => !/^\d+\.\d+\.\d+$/.test(version),
    );
    expect(loose).toEqual([]);
  });

  test("come from the public registry", () => {
    const elsewhere = locked.filter(
      ([, { resolved }]) => resolved !== undefined && !resolved.startsWith("https://registry.npmjs.org/"),
    );
    expect(elsewhere).toEqual([]);
  });

  test("resolve protobufjs to major version 8, which Temporal's payloads need", () => {
    expect(read("node_modules/protobufjs/package.json").version).toMatch(/^8\./);
  });
});
