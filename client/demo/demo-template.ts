import { join } from "node:path";
import type { FleetTemplate } from "../../schema/fleet-template.ts";
import { packageFolder } from "../package-files.ts";
import type { TemplateFile } from "../template-file.ts";
import { readTemplateFile } from "../template-file.ts";
import type { Scenario } from "./scenario.ts";

export interface DemoTemplateOptions {
  scenario: Scenario;
  speed: number;
  /** Shown by the workload in every answer, so that the configuration in force can be seen from outside. */
  version: string;
  minServing: number;
  standbyMin: number;
  forecast: boolean;
}

/** One example host holds four requests at a time for 120 ms: 33 a second at the most, planned for 26. */
const workload = { slots: 4, service_ms: 120, cpu_ms: 1, greeting: "Hello" };
const demoFleet = "demo";

function demoRules(template: FleetTemplate, options: DemoTemplateOptions): FleetTemplate {
  const { scenario, speed } = options;
  const { policy } = scenario;
  const wallSeconds = (traceSeconds: number): number => traceSeconds / speed;
  return {
    ...template,
    fleet: demoFleet,
    demand: {
      ...template.demand,
      step_seconds: wallSeconds(scenario.stepSeconds),
      per_host: policy.perHost,
      target_utilization: policy.targetUtilization,
    },
    forecast: {
      ...template.forecast,
      enabled: options.forecast,
      season_seconds: wallSeconds(scenario.stepSeconds * scenario.seasonSteps),
      history_seasons: Math.max(1, Math.round(scenario.history.length / scenario.seasonSteps)),
    },
    capacity: {
      ...template.capacity,
      mode: "act",
      service_level: policy.serviceLevel,
      min_serving: options.minServing,
      max_hosts: policy.maxHosts,
      scale_in_hold_seconds: wallSeconds(policy.scaleInHoldSeconds),
    },
    standby: { ...template.standby, min: options.standbyMin, max: policy.standbyMax },
    load_balancer: { ...template.load_balancer, drain_deadline_seconds: 5, slow_start_seconds: 0 },
  };
}

/** The example fleet with its times brought to the speed of the replay. */
export async function demoTemplate(options: DemoTemplateOptions): Promise<TemplateFile> {
  const file = await readTemplateFile(join(packageFolder(), "examples", "fleets", "web.yaml"));
  const content = Buffer.from(`${JSON.stringify({ version: options.version, ...workload }, null, 2)}\n`);
  const files = file.files.map((golden) => (golden.path === "web.json" ? { ...golden, content } : golden));
  return { ...file, template: demoRules(file.template, options), files };
}
