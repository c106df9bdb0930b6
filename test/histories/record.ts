/**
 * Records small histories of every workflow for the replay test: `node --import tsx test/histories/record.ts v0.1.0`.
 * Run once for each release; recorded histories are never changed afterwards.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { historyToJSON } from "@temporalio/common/lib/proto-utils.js";
import { ForewarmError } from "../../domain/errors.ts";
import { workflowIds } from "../../workflows/messages.ts";
import { goldenOf } from "../domain/host/fleet-fixture.ts";
import { createRehearsal } from "../workflows/rehearsal.ts";
import { eventually, newFleet, startLab, untilFleet } from "../workflows/running-fleet.ts";

const version = process.argv[2];
if (version === undefined) throw new Error("name the version, such as v0.1.0");
const folder = join(fileURLToPath(new URL(".", import.meta.url)), version);
mkdirSync(folder, { recursive: true });

const lab = await startLab();
const world = createRehearsal();
lab.play(world);
world.targets = { serving: 1, standby: 1 };
world.before = ({ name, hostId }) => {
  if (name === "start" && hostId.endsWith("-1")) throw new ForewarmError("INVALID_REQUEST", "no such program");
};
const fleet = await newFleet(lab, { historyEventsMax: 150 });
const name = fleet.workflowId.slice("fleet/".length);
const { runId } = await lab.client.workflow.getHandle(fleet.workflowId).describe();

await fleet.claim("kept");
await untilFleet(fleet, "one serves, one is claimed, one waits", ({ counts, claimable }) => {
  return counts.serving === 2 && claimable === 1;
});
await fleet.applyGolden(goldenOf(2));
await fleet.release("kept");
await untilFleet(fleet, "all at epoch 2", ({ hosts, goldenChange }) => {
  return goldenChange === null && hosts.every((host) => host.epoch === 2);
});
world.targets = { serving: 0, standby: 1 };
await untilFleet(fleet, "one host is left", ({ hosts }) => hosts.length === 1);
await eventually("the first run is over", async () => {
  return (await lab.client.workflow.getHandle(fleet.workflowId).describe()).runId !== runId;
});

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Histories name neither the machine they were recorded on nor its folders. */
function scrub(text: string): string {
  return text
    .replaceAll(root, "/opt/forewarm/")
    .replaceAll(/\d+@[\w.-]+/g, "recorder")
    .replaceAll(/"stackTrace": "[^"]*"/g, '"stackTrace": ""');
}

async function keep(file: string, workflowId: string, run?: string): Promise<void> {
  const history = await lab.client.workflow.getHandle(workflowId, run).fetchHistory();
  writeFileSync(join(folder, `${file}.json`), `${scrub(historyToJSON(history))}\n`);
  console.info(`${file}: ${history.events?.length} events`);
}

await keep("fleet", fleet.workflowId, runId);
await keep("bootstrap-host", workflowIds.bootstrapHost(name, `${name}-2`));
await keep("bootstrap-host-released", workflowIds.bootstrapHost(name, `${name}-1`));
const updates = lab.client.workflow.list({ query: `ForewarmFleet = "${name}" AND WorkflowType = "updateHost"` });
let kept = 0;
for await (const { workflowId, runId: run } of updates) await keep(`update-host-${(kept += 1)}`, workflowId, run);
const retirements = lab.client.workflow.list({ query: `ForewarmFleet = "${name}" AND WorkflowType = "retireHost"` });
for await (const { workflowId, runId: run } of retirements) {
  await keep("retire-host", workflowId, run);
  break;
}
await fleet.end();
await lab.stop();
