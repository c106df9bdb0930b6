import { rmSync } from "node:fs";
import { Client, Connection } from "@temporalio/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { SagaDependencies, SagaStart } from "../../activities/sagas.ts";
import { startTemporalServer, type RunningTemporalServer } from "../../embedded/temporal-server/start.ts";
import { createSagaStarter } from "../../worker/start-workflow.ts";
import { workflowNames } from "../../workflows/messages.ts";
import { newHome } from "../embedded/stack-kit.ts";
import { executable } from "./running-fleet.ts";

// No worker runs here: a started saga stays running until the test ends it.
describe.skipIf(executable === "")("starting sagas (needs the `temporal` program)", () => {
  const home = newHome();
  let server: RunningTemporalServer;
  let client: Client;
  let sagas: SagaDependencies;

  beforeAll(async () => {
    server = await startTemporalServer({ home, executable, inMemory: true });
    client = new Client({ connection: await Connection.connect({ address: server.address }) });
    sagas = createSagaStarter(client);
  });
  afterAll(async () => {
    await client?.connection.close();
    await server?.stop();
    rmSync(home, { recursive: true, force: true });
  });

  const startOf = (workflowId: string, change: Partial<SagaStart> = {}): SagaStart => ({
    workflow: workflowNames.updateHost,
    workflowId,
    args: {},
    summary: "refresh web-1",
    fleet: "web",
    hostId: "web-1",
    epoch: 1,
    startId: "first",
    ...change,
  });
  const runIdOf = async (workflowId: string): Promise<string> =>
    (await client.workflow.getHandle(workflowId).describe()).runId;

  test("a start that is repeated changes nothing", async () => {
    await sagas.startWorkflow(startOf("update/web/1"));
    const runId = await runIdOf("update/web/1");
    await sagas.startWorkflow(startOf("update/web/1"));
    expect(await runIdOf("update/web/1")).toBe(runId);
  });

  test("an update is refused, to be tried again, until the one before it has ended", async () => {
    await sagas.startWorkflow(startOf("update/web/2"));
    const next = startOf("update/web/2", { startId: "second" });
    await expect(sagas.startWorkflow(next)).rejects.toMatchObject({ code: "THROTTLED", retryable: true });
    expect(await sagas.isRunning("update/web/2")).toBe(true);
    await client.workflow.getHandle("update/web/2").terminate();
    expect(await sagas.isRunning("update/web/2")).toBe(false);
    await sagas.startWorkflow(next);
    expect(await sagas.isRunning("update/web/2")).toBe(true);
  });

  test("a retirement that runs already is as good as a new one", async () => {
    const retire = startOf("retire/web/3", { workflow: workflowNames.retireHost, startId: null });
    await sagas.startWorkflow(retire);
    const runId = await runIdOf("retire/web/3");
    await sagas.startWorkflow(retire);
    expect(await runIdOf("retire/web/3")).toBe(runId);
  });

  test("a bootstrap of one host happens once, even when it has ended", async () => {
    const bootstrap = startOf("bootstrap/web/4", { workflow: workflowNames.bootstrapHost, startId: null });
    await sagas.startWorkflow(bootstrap);
    await client.workflow.getHandle("bootstrap/web/4").terminate();
    await sagas.startWorkflow(bootstrap);
    expect(await sagas.isRunning("bootstrap/web/4")).toBe(false);
    expect(await sagas.isRunning("bootstrap/web/never")).toBe(false);
  });

  test("people find a saga by what it is and for which host", async () => {
    await sagas.startWorkflow(startOf("update/web/5", { epoch: 7 }));
    const description = await client.workflow.getHandle("update/web/5").describe();
    expect(await description.staticSummary()).toBe("refresh web-1");
    expect(description.searchAttributes).toMatchObject({
      ForewarmFleet: ["web"],
      ForewarmHost: ["web-1"],
      ForewarmEpoch: [7],
    });
  });
});
