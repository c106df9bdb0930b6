import type { Check, FleetTemplate } from "./fleet-template.ts";
import type { TemplatePath } from "./template-problem.ts";

/** A rule between several keys that a template breaks, at the key to change. */
export interface RuleFinding {
  severity: "problem" | "warning";
  path: TemplatePath;
  message: string;
}

/** Holds the rules that no single key shows; an empty list is a template that can run. */
export function checkTemplateRules(template: FleetTemplate): RuleFinding[] {
  return [
    ...capacityFindings(template),
    ...applicationFindings(template),
    ...verifyFindings(template),
    ...goldenFindings(template),
    ...timingFindings(template),
  ];
}

function problem(path: TemplatePath, message: string): RuleFinding {
  return { severity: "problem", path, message };
}

function warning(path: TemplatePath, message: string): RuleFinding {
  return { severity: "warning", path, message };
}

function capacityFindings({ capacity, standby }: FleetTemplate): RuleFinding[] {
  const found: RuleFinding[] = [];
  if (standby.min > standby.max) {
    found.push(problem(["standby", "min"], `must be at most standby.max (${standby.max}); got ${standby.min}`));
  }
  if (capacity.min_serving + standby.min > capacity.max_hosts) {
    const sum = `capacity.min_serving (${capacity.min_serving}) + standby.min (${standby.min})`;
    found.push(problem(["capacity", "max_hosts"], `must be at least ${sum}; got ${capacity.max_hosts}`));
  }
  return found;
}

function applicationFindings({ applications, provider }: FleetTemplate): RuleFinding[] {
  return [
    ...repeats(applications.map((application) => application.name)).map((index) =>
      problem(["applications", index, "name"], `must be unique; got ${applications[index]?.name} twice`),
    ),
    ...repeats(applications.map((application) => application.port)).map((index) =>
      problem(["applications", index, "port"], `must be unique on a host; got ${applications[index]?.port} twice`),
    ),
    ...repeats(provider.zones).map((index) =>
      problem(["provider", "zones", index], `must be unique; got ${provider.zones[index]} twice`),
    ),
  ];
}

/** Indexes of the values that an earlier place already holds. */
function repeats(values: readonly (string | number)[]): number[] {
  return values.flatMap((value, index) => (values.indexOf(value) < index ? [index] : []));
}

function verifyFindings({ applications, bootstrap }: FleetTemplate): RuleFinding[] {
  const found = bootstrap.verify.flatMap((check, index) => {
    const fault = checkFault(check, applications, bootstrap.deadline_seconds.verify);
    return fault === null ? [] : [problem(["bootstrap", "verify", index, fault.key], fault.message)];
  });
  return [...found, ...weakProof(bootstrap.verify)];
}

type CheckFault = { key: string; message: string } | null;

function checkFault(check: Check, applications: FleetTemplate["applications"], phaseSeconds: number): CheckFault {
  switch (check.kind) {
    case "process":
      return applicationFault(check.application, applications);
    case "tcp":
      return portFault(check.port, applications);
    case "http":
      return portFault(check.port, applications) ?? patternFault(check.body_match);
    case "command":
      return timeoutFault(check.timeout_seconds, phaseSeconds);
    default:
      return null;
  }
}

function applicationFault(name: string, applications: FleetTemplate["applications"]): CheckFault {
  const names = applications.map((application) => application.name);
  if (names.includes(name)) return null;
  return { key: "application", message: `must name an application (${names.join(", ")}); got ${name}` };
}

function portFault(port: number, applications: FleetTemplate["applications"]): CheckFault {
  const ports = applications.map((application) => application.port);
  if (ports.includes(port)) return null;
  return { key: "port", message: `must be a port of an application (${ports.join(", ")}); got ${port}` };
}

function patternFault(pattern: string | undefined): CheckFault {
  if (pattern === undefined || isPattern(pattern)) return null;
  return { key: "body_match", message: `must be a regular expression; got ${JSON.stringify(pattern)}` };
}

function timeoutFault(seconds: number, phaseSeconds: number): CheckFault {
  if (seconds <= phaseSeconds) return null;
  const rule = `must be at most bootstrap.deadline_seconds.verify (${phaseSeconds})`;
  return { key: "timeout_seconds", message: `${rule}; got ${seconds}` };
}

function weakProof(checks: FleetTemplate["bootstrap"]["verify"]): RuleFinding[] {
  if (checks.some((check) => check.kind !== "digest" && check.kind !== "process")) return [];
  const message = "no check asks the application itself; add one of kind http, tcp or command";
  return [warning(["bootstrap", "verify"], message)];
}

function isPattern(text: string): boolean {
  try {
    return new RegExp(text) instanceof RegExp;
  } catch {
    return false;
  }
}

function goldenFindings({ golden }: FleetTemplate): RuleFinding[] {
  const paths = golden.files.map((file) => file.path);
  const taken = new Set(paths);
  return paths.flatMap((path, index): RuleFinding[] => {
    const at: TemplatePath = ["golden", "files", index, "path"];
    if (path.split("/").some((part) => part === "" || part === ".")) {
      return [problem(at, `must be a plain relative path without \`//\`, \`.\` or a closing \`/\`; got ${path}`)];
    }
    if (paths.indexOf(path) < index) return [problem(at, `must be unique; got ${path} twice`)];
    const parent = parentsOf(path).find((folder) => taken.has(folder));
    return parent === undefined ? [] : [problem(at, `must not lie below another file (${parent}); got ${path}`)];
  });
}

function parentsOf(path: string): string[] {
  const parts = path.split("/");
  return parts.slice(1).map((_part, index) => parts.slice(0, index + 1).join("/"));
}

function timingFindings(template: FleetTemplate): RuleFinding[] {
  const { demand, forecast } = template;
  const found = drainFindings(template);
  if (forecast.season_seconds < 2 * demand.step_seconds) {
    const rule = `must be at least two steps (demand.step_seconds is ${demand.step_seconds})`;
    found.push(problem(["forecast", "season_seconds"], `${rule}; got ${forecast.season_seconds}`));
  }
  return found;
}

function drainFindings({ load_balancer: balancer, applications }: FleetTemplate): RuleFinding[] {
  const found: RuleFinding[] = [];
  const grace = Math.max(...applications.map((application) => application.stop_grace_seconds));
  if (balancer.drain_deadline_seconds < grace) {
    const message = `is shorter than the longest stop_grace_seconds (${grace}); open requests are cut`;
    found.push(warning(["load_balancer", "drain_deadline_seconds"], message));
  }
  const listenPort = Number(balancer.listen.split(":")[1]);
  if (listenPort > 65_535) {
    found.push(problem(["load_balancer", "listen"], `must have a port from 0 to 65535; got ${balancer.listen}`));
  }
  if (balancer.health_check.path === "/") {
    const message = `the first application (${applications[0]?.name}) is asked at \`/\`; name its health path`;
    found.push(warning(["load_balancer", "health_check", "path"], message));
  }
  return found;
}
