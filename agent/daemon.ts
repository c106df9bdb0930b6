import { rmSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { createAgentLog } from "./agent-log.ts";
import { agentVersion, createAnswer } from "./answer.ts";
import { openApplications } from "./applications.ts";
import { openBlobs } from "./blobs.ts";
import type { AgentConfig } from "./config.ts";
import { createCrash } from "./crash-point.ts";
import { openFence } from "./fence.ts";
import { openGenerations } from "./generations.ts";
import { openOutbox } from "./outbox.ts";
import { listen, socketName } from "./socket-server.ts";
import { lockState } from "./state-lock.ts";

/** Runs the agent until SIGTERM; the applications it started go on without it. Throws HOME_IN_USE. */
export async function runDaemon(config: AgentConfig, now: () => number): Promise<void> {
  const { stateFolder } = config;
  await mkdir(stateFolder, { recursive: true, mode: 0o700 });
  const release = lockState(stateFolder);
  process.chdir(stateFolder);
  const log = createAgentLog(stateFolder, now);
  const crash = createCrash(config);
  const outbox = await openOutbox(stateFolder, now);
  const applications = openApplications({ config, outbox, crash, log, now });
  const generations = openGenerations(stateFolder, crash);
  const fence = await openFence(stateFolder);
  const blobs = await openBlobs(stateFolder, now);
  const answer = createAnswer({ config, stateFolder, applications, generations, fence, blobs, outbox, crash, now });

  endOnSignal(() => {
    log("agent stopped", {});
    rmSync(socketName, { force: true });
    release();
  });
  await applications.adopt();
  await listen({ outbox, answer, log });
  const held = await generations.inForce();
  await outbox.append("agent-started", { agentVersion, epoch: held?.manifest.epoch ?? 0, digest: held?.digest ?? "" });
  log("agent started", { agentVersion });
}

function endOnSignal(cleanUp: () => void): void {
  const stop = () => {
    cleanUp();
    process.exit(0);
  };
  process.once("SIGTERM", stop).once("SIGINT", stop);
  // A channel that ends with the shell that started the agent must not end the agent.
  process.on("SIGHUP", () => undefined);
}
