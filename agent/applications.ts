import type { AgentApplication, AgentRequest, AgentResponseOf } from "../schema/agent-protocol.ts";
import type { AgentLog } from "./agent-log.ts";
import { logPath, rotateLog } from "./application-log.ts";
import type { AgentConfig } from "./config.ts";
import type { Crash } from "./crash-point.ts";
import { type JournalEntry, readJournal, writeJournal } from "./journal.ts";
import { type ApplicationEvents, ManagedApplication } from "./managed-application.ts";
import type { Outbox } from "./outbox.ts";

const rotateEveryMs = 1000;

type Response<Op extends AgentRequest["op"]> = AgentResponseOf<Extract<AgentRequest, { op: Op }>>;

export interface Applications {
  /** Takes over what ran before this agent started. */
  adopt(): Promise<void>;
  start(wanted: readonly AgentApplication[]): Promise<Response<"start">>;
  reload(hook: "reload" | "restart"): Promise<Response<"reload">>;
  stop(): Promise<Response<"stop">>;
  status(): Response<"health">["applications"];
  /** The port that a template's port stands for on this host. */
  portOf(port: number): number;
}

export interface ApplicationsDeps {
  config: AgentConfig;
  outbox: Outbox;
  crash: Crash;
  log: AgentLog;
  now: () => number;
}

/** The applications this host must run. Callers make one change at a time. */
export function openApplications(deps: ApplicationsDeps): Applications {
  const { config, outbox } = deps;
  let managed: ManagedApplication[] = [];

  const entries = () => managed.map((one) => one.entry());
  const save = createJournalWriter(config.stateFolder, entries);
  const events: ApplicationEvents = {
    changed: save,
    exited: (detail) => outbox.append("application-exited", detail),
    restarted: (detail) => outbox.append("application-restarted", detail),
    spawned: () => deps.crash("after-spawn"),
    failed: (error) => deps.log("an application could not be looked after", { error: String(error) }),
  };
  const manage = (application: AgentApplication, index: number) =>
    new ManagedApplication({ config, application, isFirst: index === 0 }, { events, now: deps.now });

  const rotateLogs = () => {
    try {
      for (const { application } of entries()) rotateLog(logPath(config.stateFolder, application.name));
    } catch (error) {
      events.failed(error);
    }
  };
  setInterval(rotateLogs, rotateEveryMs).unref();

  const replace = async (wanted: readonly AgentApplication[]) => {
    const kept = managed.filter((one) => wanted.some((application) => isSame(application, one.entry().application)));
    await Promise.all(managed.filter((one) => !kept.includes(one)).map((one) => one.stop()));
    managed = wanted.map((application, index) => {
      const held = kept.find((one) => one.entry().application.name === application.name);
      return held ?? manage(application, index);
    });
    await save();
    for (const one of managed) if (one.identity() === null) await one.start();
  };

  return {
    async adopt() {
      const known = await readJournal(config.stateFolder);
      managed = known.map((entry, index) => manage(entry.application, index));
      for (const [index, entry] of known.entries()) await managed[index]?.adopt(entry);
    },
    async start(wanted) {
      await replace(wanted);
      return { applications: managed.flatMap(pidOf) };
    },
    async reload(hook) {
      const told: string[] = [];
      for (const one of managed) if (await tell(one, hook)) told.push(one.entry().application.name);
      return { reloaded: told };
    },
    async stop() {
      const stopped = entries().map((entry) => entry.application.name);
      await replace([]);
      return { stopped };
    },
    status: () =>
      managed.map((one) => {
        const { application, restarts } = one.entry();
        return { name: application.name, pid: one.identity()?.pid ?? null, restarts };
      }),
    portOf: (port) => (config.port !== null && entries()[0]?.application.port === port ? config.port : port),
  };
}

/** Tells an application of new configuration in its own way; false when it needs no telling. */
async function tell(one: ManagedApplication, hook: "reload" | "restart"): Promise<boolean> {
  const { reload } = one.entry().application;
  const identity = one.identity();
  if (hook === "restart" || reload === "restart" || identity === null) {
    await one.stop();
    await one.start();
    return true;
  }
  if (reload === "none") return false;
  process.kill(identity.pid, "SIGHUP");
  return true;
}

/** One write at a time, each of the state at its own moment. */
function createJournalWriter(stateFolder: string, entries: () => JournalEntry[]): () => Promise<void> {
  let writing = Promise.resolve();
  return () => {
    const turn = writing.then(() => writeJournal(stateFolder, entries()));
    writing = turn.catch(() => undefined);
    return turn;
  };
}

function pidOf(one: ManagedApplication): { name: string; pid: number }[] {
  const identity = one.identity();
  return identity === null ? [] : [{ name: one.entry().application.name, pid: identity.pid }];
}

function isSame(left: AgentApplication, right: AgentApplication): boolean {
  return JSON.stringify(left) === JSON.stringify(right);
}
