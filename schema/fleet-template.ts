import { z } from "zod";

const name = z
  .string()
  .regex(
    /^[a-z][a-z0-9-]{0,30}$/,
    "lower-case letters, digits and dashes, starting with a letter, at most 31 characters",
  );
const seconds = z
  .number()
  .positive()
  .max(86_400 * 30);
const port = z.number().int().min(1).max(65_535);
const share = z.number().gt(0).max(1);

const providerSchema = z.strictObject({
  kind: z.enum(["local"]).meta({ description: "Where hosts come from." }),
  zones: z.array(name).min(1).max(16).default(["a"]).meta({ description: "Failure domains hosts are spread over." }),
});

const applicationSchema = z.strictObject({
  name: name.meta({ description: "Name of the program, unique on a host." }),
  command: z.array(z.string().min(1)).min(1).meta({ description: "Program and arguments, started in `directory`." }),
  directory: z.string().default("/opt/app").meta({ description: "Working directory on the host." }),
  port: port.meta({ description: "Port it answers at on the host's own address." }),
  environment: z
    .record(z.string().regex(/^[A-Z_][A-Z0-9_]*$/, "capital letters, digits and underscores"), z.string())
    .default({})
    .meta({ description: "Variables of its environment." }),
  reload: z
    .enum(["signal", "restart", "none"])
    .default("signal")
    .meta({ description: "How it learns of new configuration." }),
  stop_grace_seconds: seconds.default(10).meta({ description: "From the request to stop until it is killed." }),
});

const demandSchema = z.strictObject({
  source: z.enum(["load_balancer"]).default("load_balancer").meta({ description: "Where demand is measured." }),
  step_seconds: z.number().min(0.25).max(3600).default(60).meta({ description: "Length of one control step." }),
  per_host: z.number().positive().meta({ description: "Requests per second that one host carries at full use." }),
  target_utilization: share
    .default(0.75)
    .meta({ description: "Share of `per_host` that serving hosts are planned for." }),
});

const forecastSchema = z.strictObject({
  enabled: z.boolean().default(true).meta({ description: "False sizes standby from `standby.min` alone." }),
  season_seconds: seconds.default(86_400).meta({ description: "Length of the repeating pattern, usually a day." }),
  history_seasons: z
    .number()
    .int()
    .min(1)
    .max(60)
    .default(14)
    .meta({ description: "Seasons of history the models see." }),
});

const capacitySchema = z.strictObject({
  mode: z.enum(["observe", "advise", "act"]).optional().meta({
    description: "`act` starts and stops hosts, the others only decide. Default: act on `local`, advise elsewhere.",
  }),
  service_level: z
    .number()
    .gt(0.5)
    .lt(1)
    .default(0.99)
    .meta({ description: "Promised share of claims granted at once." }),
  min_serving: z.number().int().min(0).default(1).meta({ description: "Hosts in rotation at any demand." }),
  max_hosts: z.number().int().min(1).max(2000).meta({ description: "Upper bound of all hosts of the fleet." }),
  scale_in_hold_seconds: seconds
    .default(300)
    .meta({ description: "Lower demand must last this long before hosts leave." }),
});

const standbySchema = z.strictObject({
  min: z.number().int().min(0).default(1).meta({ description: "Verified hosts that always wait." }),
  max: z
    .number()
    .int()
    .min(0)
    .max(2000)
    .default(100)
    .meta({ description: "Most hosts that wait, whatever is forecast." }),
});

const phaseSeconds = z.strictObject({
  allocate: seconds.default(60).meta({ description: "Until the provider names an address." }),
  boot: seconds.default(180).meta({ description: "Until the provider reports it running." }),
  connect: seconds.default(60).meta({ description: "Until SSH answers." }),
  stage: seconds.default(120).meta({ description: "Copying agent and content." }),
  configure: seconds.default(60).meta({ description: "Installing the golden configuration." }),
  start: seconds.default(60).meta({ description: "Starting the applications." }),
  verify: seconds.default(60).meta({ description: "Until all checks pass." }),
});

/** One proof that a host is fit to serve; all of them are run and the evidence is stored. */
export const checkSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("process"), application: name.meta({ description: "It runs." }) }),
  z.strictObject({ kind: z.literal("tcp"), port: port.meta({ description: "It accepts a connection." }) }),
  z.strictObject({
    kind: z.literal("http"),
    port: port.meta({ description: "Port that is asked." }),
    path: z.string().startsWith("/").meta({ description: "Path that is asked by GET." }),
    status: z.number().int().min(100).max(599).default(200).meta({ description: "Status it must answer." }),
    body_match: z.string().optional().meta({ description: "Regular expression the body must match." }),
  }),
  z.strictObject({
    kind: z.literal("command"),
    command: z.string().min(1).meta({ description: "Shell command on the host that must exit with 0." }),
    timeout_seconds: seconds.default(10).meta({ description: "Longest run of the command." }),
  }),
  z.strictObject({ kind: z.literal("digest") }),
]);
export type Check = z.infer<typeof checkSchema>;

const bootstrapSchema = z.strictObject({
  deadline_seconds: phaseSeconds
    .prefault({})
    .meta({ description: "Longest time of each phase before the host is given up." }),
  verify: z
    .array(checkSchema)
    .min(1)
    .default([{ kind: "digest" }])
    .meta({ description: "Proofs of fitness; all must pass before a host may stand by." }),
});

const goldenFileSchema = z
  .strictObject({
    path: z.string().min(1).max(512).meta({ description: "Relative to the generation folder on the host." }),
    content: z.string().optional().meta({ description: "The file's text." }),
    source: z.string().optional().meta({ description: "A file beside the template whose bytes are taken." }),
    mode: z
      .string()
      .regex(/^0[0-7]{3}$/, 'four octal digits in quotes, such as "0644"')
      .default("0644")
      .meta({ description: "Permission bits." }),
    hook: z
      .enum(["reload", "restart"])
      .nullable()
      .default("reload")
      .meta({ description: "What a change of this file needs." }),
  })
  .refine((file) => (file.content === undefined) !== (file.source === undefined), {
    error: "give exactly one of `content` and `source`",
  })
  .refine((file) => !file.path.startsWith("/") && !file.path.split("/").includes(".."), {
    error: "must stay below the generation folder: no leading `/`, no `..`",
    path: ["path"],
  });

const goldenSchema = z.strictObject({
  files: z.array(goldenFileSchema).min(1).max(500).meta({ description: "All files of the configuration." }),
  max_updating_percent: z.number().min(1).max(100).default(10).meta({ description: "Serving hosts changed at once." }),
  valid_hours: z
    .number()
    .positive()
    .max(24 * 365)
    .default(24 * 30)
    .meta({ description: "How long the signature holds." }),
});

const loadBalancerSchema = z.strictObject({
  kind: z.enum(["local"]).default("local").meta({ description: "Which load balancer." }),
  listen: z
    .string()
    .regex(/^[0-9.]+:\d{1,5}$/, "ADDRESS:PORT")
    .default("127.0.0.1:0")
    .meta({ description: "Port 0 chooses a free one." }),
  prefer_newest: z
    .enum(["off", "weighted", "strict"])
    .default("weighted")
    .meta({ description: "How much more traffic hosts of the newest committed configuration get." }),
  slow_start_seconds: z
    .number()
    .min(0)
    .max(900)
    .default(0)
    .meta({ description: "A new host's share grows over this time." }),
  drain_deadline_seconds: seconds
    .max(3600)
    .default(30)
    .meta({ description: "Longest wait for open requests of a leaving host." }),
  health_check: z
    .strictObject({
      path: z
        .string()
        .startsWith("/")
        .default("/")
        .meta({ description: "Path asked on the first application's port." }),
      interval_seconds: z.number().min(0.1).max(300).default(2).meta({ description: "Time between two checks." }),
      unhealthy_after: z.number().int().min(1).default(3).meta({ description: "Failures in a row." }),
      healthy_after: z.number().int().min(1).default(1).meta({ description: "Successes in a row." }),
    })
    .prefault({}),
});

/** A fleet template: one set of machines, what they hold, and how many must be warm. */
export const fleetTemplateSchema = z.strictObject({
  version: z.literal(1).meta({ description: "Version of the template's form." }),
  fleet: name.meta({ description: "Name of the fleet; its workflow id is fleet/<name>." }),
  provider: providerSchema,
  image: z.strictObject({
    source: z.string().min(1).meta({ description: "Folder a host's files are cloned from; relative to this file." }),
  }),
  applications: z.array(applicationSchema).min(1).max(16).meta({ description: "Programs that run on each host." }),
  demand: demandSchema,
  forecast: forecastSchema.prefault({}),
  capacity: capacitySchema,
  standby: standbySchema.prefault({}),
  bootstrap: bootstrapSchema.prefault({}),
  golden: goldenSchema,
  load_balancer: loadBalancerSchema.prefault({}),
});
export type FleetTemplate = z.infer<typeof fleetTemplateSchema>;
