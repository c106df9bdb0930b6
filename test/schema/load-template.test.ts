import { readFileSync, readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { limits } from "../../domain/limits.ts";
import { parseTemplate } from "../../schema/load-template.ts";
import { templateAliasCountMax, templateBytesMax } from "../../schema/template-document.ts";
import { formatProblem } from "../../schema/template-problem.ts";

const folder = new URL("../../examples/fleets/", import.meta.url);

const minimal = `version: 1
fleet: web
provider: { kind: local }
image: { source: image }
applications:
  - { name: web, command: [node, server.mjs], port: 8080 }
demand: { per_host: 30 }
capacity: { max_hosts: 10 }
bootstrap:
  verify: [{ kind: tcp, port: 8080 }]
golden:
  files:
    - { path: web.json, content: "{}" }
load_balancer: { health_check: { path: /health } }
`;

function problemsIn(text: string | Uint8Array): string[] {
  const result = parseTemplate({ file: "f.yaml", text });
  return result.ok ? [] : result.problems.map((problem) => formatProblem(problem).split("\n")[0]!);
}

function edited(from: string | RegExp, to: string, text = minimal): string {
  const changed = text.replace(from, to);
  if (changed === text) throw new Error(`nothing to replace: ${from}`);
  return changed;
}

describe("parseTemplate accepts", () => {
  test("a minimal template with its defaults", () => {
    const result = parseTemplate({ file: "f.yaml", text: minimal });
    expect(result).toMatchObject({
      ok: true,
      warnings: [],
      template: { standby: { min: 1 }, capacity: { min_serving: 1 } },
    });
  });

  test.each(readdirSync(folder))("the example %s without warnings", (name) => {
    const result = parseTemplate({ file: name, text: readFileSync(new URL(name, folder)) });
    expect(result.ok ? result.warnings : result.problems).toEqual([]);
  });

  test("anchors and aliases", () => {
    const text = edited("demand: { per_host: 30 }", "demand: { per_host: &n 30 }\nforecast: { history_seasons: *n }");
    expect(parseTemplate({ file: "f.yaml", text })).toMatchObject({
      ok: true,
      template: { forecast: { history_seasons: 30 } },
    });
  });
});

describe("parseTemplate locates", () => {
  test("a problem with excerpt and caret", () => {
    const result = parseTemplate({ file: "fleet.yaml", text: edited("max_hosts: 10", "max_hosts: 5000") });
    expect(result.ok || result.problems.map(formatProblem)).toEqual([
      [
        "fleet.yaml:8:24 capacity.max_hosts: must be a whole number from 1 to 2000; got 5000",
        "   8 | capacity: { max_hosts: 5000 }",
        "     |                        ^",
      ].join("\n"),
    ]);
  });

  test.each([
    [
      "a misspelt required key, once",
      "per_host",
      "per_hots",
      "7:11 demand.per_hots: unknown key; did you mean `per_host`?",
    ],
    [
      "a key without its unit",
      "port: 8080 }\nd",
      "port: 8080, stop_grace: 3 }\nd",
      "6:59 applications[0].stop_grace: unknown key; did you mean `stop_grace_seconds`?",
    ],
    [
      "a key in camelCase",
      "max_hosts: 10",
      "maxHosts: 10",
      "8:13 capacity.maxHosts: unknown key; did you mean `max_hosts`?",
    ],
    [
      "a key at the wrong level",
      "version: 1",
      "version: 1\nmin_serving: 1",
      "2:1 min_serving: unknown key; it belongs at `capacity.min_serving`",
    ],
    [
      "a missing key at its parent",
      "{ max_hosts: 10 }",
      "{}",
      "8:1 capacity.max_hosts: the key is missing; it must be a whole number from 1 to 2000",
    ],
    [
      "an enum value",
      "kind: local",
      "kind: locl",
      '3:19 provider.kind: must be `local`; got "locl"; did you mean `local`?',
    ],
    [
      "an unknown kind of check",
      "kind: tcp",
      "kind: tpc",
      '10:20 bootstrap.verify[0].kind: must be one of `process`, `tcp`, `http`, `command`, `digest`; got "tpc"; did you mean `tcp`?',
    ],
    [
      "a duration with a unit",
      "per_host: 30",
      "per_host: 30, step_seconds: 5m",
      '7:39 demand.step_seconds: must be a number from 0.25 to 3600; got "5m"; write 300: the unit is seconds',
    ],
    [
      "a percentage",
      "per_host: 30",
      "per_host: 30, target_utilization: 75",
      "7:45 demand.target_utilization: must be a number above 0 and at most 1; got 75; write 0.75 for 75 %",
    ],
    [
      "a number in quotes",
      "max_hosts: 10",
      'max_hosts: "10"',
      '8:24 capacity.max_hosts: must be a whole number from 1 to 2000; got "10"; write 10 without quotes',
    ],
    [
      "a mode without quotes",
      "path: web.json,",
      "path: web.json, mode: 0644,",
      '13:31 golden.files[0].mode: must be text; got 0644; write "0644" in quotes',
    ],
    [
      "a YAML 1.1 truth value",
      "version: 1",
      "version: 1\nforecast: { enabled: yes }",
      '2:22 forecast.enabled: must be true or false; got "yes"; write true',
    ],
    [
      "a malformed name",
      "fleet: web",
      "fleet: Web!",
      '2:8 fleet: must be lower-case letters, digits and dashes, starting with a letter, at most 31 characters; got "Web!"',
    ],
    [
      "an environment name",
      "port: 8080 }\nd",
      "port: 8080, environment: { a-b: x } }\nd",
      "6:74 applications[0].environment.a-b: the name must be capital letters, digits and underscores; got `a-b`",
    ],
    ["two contents of one file", 'content: "{}"', 'content: "{}", source: a', "13:7 golden.files[0]: give exactly one"],
    ["a duplicate key", "fleet: web", "fleet: web\nfleet: api", "3:1 fleet: the key is given twice; keep one"],
    [
      "a nested duplicate key",
      "path: web.json,",
      "path: web.json, path: b,",
      "13:25 golden.files[0].path: the key is given twice; keep one",
    ],
    ["a syntax error", "{ max_hosts: 10 }", "{ max_hosts: 10", "9:1 not valid YAML:"],
    ["a tab", "provider: { kind: local }", "provider:\n\tkind: local", "4:1 YAML is indented with spaces; got a tab"],
    ["a second document", "version: 1", "version: 1\n---\nversion: 1", "2:1 one file holds one template"],
    ["a tag", "fleet: web", "fleet: !secret web", "2:8 tags are not supported"],
    [
      "a merge key",
      "demand: {",
      "demand: { <<: { step_seconds: 5 },",
      "7:11 demand.<<: unknown key; merge keys are not supported; repeat the values",
    ],
  ])("%s", (...[, from, to, expected]) => {
    const [first, ...rest] = problemsIn(edited(from, to));
    expect(first?.startsWith(`f.yaml:${expected}`) ? expected : first).toBe(expected);
    expect(rest).toEqual([]);
  });

  test.each([
    ["an empty file", "", "1:1 must be a fleet template; got an empty file"],
    ["a list", "- 1\n", "1:1 must be a mapping of keys to values; got a list of 1"],
    ["other bytes than UTF-8", Uint8Array.of(0x61, 0x3a, 0x0a, 0x62, 0xff), "2:2 must be UTF-8 text; got other bytes"],
    ["a file over 1 MiB", new Uint8Array(1024 * 1024 + 1), "1:1 a template has at most 1048576 bytes; got 1048577"],
    ["deep nesting", "a: " + "[".repeat(5000), "1:68 must be nested at most 64 levels deep"],
    ["deep nesting by dashes", `a:\n${"- ".repeat(5000)}`, "2:1 must be nested at most 64 levels deep"],
  ])("%s", (_name, text, expected) => {
    expect(problemsIn(text)).toEqual([`f.yaml:${expected}`]);
  });

  test("an alias bomb, before it is expanded", () => {
    const levels = Array.from({ length: 9 }, (_value, index) => {
      const inner = index === 0 ? '"x"' : `*a${index - 1}`;
      return `a${index}: &a${index} [${Array.from({ length: 9 }, () => inner).join(", ")}]`;
    });
    expect(problemsIn(levels.join("\n"))[0]).toMatch(/^f\.yaml:2:10 aliases expand to too much/);
  });
});

describe("rules between keys", () => {
  const both = "bootstrap:\n  deadline_seconds: { verify: 5 }\n  verify: [{ kind: tcp, port: 8080 }, ";
  test.each([
    [
      "standby bounds",
      "capacity:",
      "standby: { min: 4, max: 3 }\ncapacity:",
      "8:17 standby.min: must be at most standby.max (3); got 4",
    ],
    [
      "room for all hosts",
      "max_hosts: 10",
      "max_hosts: 10, min_serving: 10",
      "8:24 capacity.max_hosts: must be at least capacity.min_serving (10) + standby.min (1); got 10",
    ],
    [
      "checked port",
      "kind: tcp, port: 8080",
      "kind: tcp, port: 81",
      "10:31 bootstrap.verify[0].port: must be a port of an application (8080); got 81",
    ],
    [
      "checked application",
      "kind: tcp, port: 8080",
      "kind: process, application: api",
      "10:42 bootstrap.verify[0].application: must name an application (web); got api",
    ],
    [
      "body pattern",
      /bootstrap:\n {2}verify: \[.*\]/,
      `${both}{ kind: http, port: 8080, path: /, body_match: "(" }]`,
      '11:86 bootstrap.verify[1].body_match: must be a regular expression; got "("',
    ],
    [
      "command timeout",
      /bootstrap:\n {2}verify: \[.*\]/,
      `${both}{ kind: command, command: x }]`,
      "11:39 bootstrap.verify[1].timeout_seconds: must be at most bootstrap.deadline_seconds.verify (5); got 10",
    ],
    [
      "same file twice",
      'content: "{}" }',
      'content: "{}" }\n    - { path: web.json, content: b }',
      "14:15 golden.files[1].path: must be unique; got web.json twice",
    ],
    [
      "file below a file",
      'content: "{}" }',
      'content: "{}" }\n    - { path: web.json/a/b, content: b }',
      "14:15 golden.files[1].path: must not lie below another file (web.json); got web.json/a/b",
    ],
    [
      "same file by another name",
      "path: web.json",
      "path: ./web.json",
      "13:15 golden.files[0].path: must be a plain relative path without",
    ],
    [
      "a path out of the folder",
      "path: web.json",
      "path: ../web.json",
      "13:15 golden.files[0].path: must stay below the generation folder",
    ],
    [
      "application names",
      "port: 8080 }\nd",
      "port: 8080 }\n  - { name: web, command: [a], port: 81 }\nd",
      "7:13 applications[1].name: must be unique; got web twice",
    ],
    [
      "application ports",
      "port: 8080 }\nd",
      "port: 8080 }\n  - { name: api, command: [a], port: 8080 }\nd",
      "7:38 applications[1].port: must be unique on a host; got 8080 twice",
    ],
    ["zones", "kind: local", "kind: local, zones: [a, b, a]", "3:40 provider.zones[2]: must be unique; got a twice"],
    [
      "season and step",
      "demand: {",
      "forecast: { season_seconds: 60 }\ndemand: {",
      "7:29 forecast.season_seconds: must be at least two steps (demand.step_seconds is 60); got 60",
    ],
    [
      "listen port",
      "load_balancer: {",
      "load_balancer: { listen: '127.0.0.1:99999',",
      "14:26 load_balancer.listen: must have a port from 0 to 65535; got 127.0.0.1:99999",
    ],
  ])("%s", (...[, from, to, expected]) => {
    const problems = problemsIn(edited(from, to));
    expect(problems[0]?.startsWith(`f.yaml:${expected}`) ? expected : problems[0]).toBe(expected);
    expect(problems).toHaveLength(1);
  });

  test.each([
    ["no check of the application", "kind: tcp, port: 8080", "kind: digest", "bootstrap.verify"],
    ["no health path", "path: /health", "path: /", "load_balancer.health_check.path"],
    [
      "a drain shorter than the stop",
      "load_balancer: {",
      "load_balancer: { drain_deadline_seconds: 5,",
      "load_balancer.drain_deadline_seconds",
    ],
  ])("warn of %s", (...[, from, to, path]) => {
    const result = parseTemplate({ file: "f.yaml", text: edited(from, to) });
    expect(result.ok && result.warnings.map((warning) => warning.path)).toEqual([path]);
  });
});

test("the bounds equal those of the domain", () => {
  expect([templateBytesMax, templateAliasCountMax]).toEqual([limits.templateBytesMax, limits.templateAliasCountMax]);
});
