import { describe, expect, test } from "vitest";
import type { LaunchHostsRequest } from "../../activities/launch.ts";
import { createLaunchActivities } from "../../activities/launch.ts";
import type { SagaStart } from "../../activities/sagas.ts";
import { ForewarmError } from "../../domain/errors.ts";
import type { ComputeProvider, LaunchRequest } from "../../providers/compute/compute-provider.ts";
import type { HostRow, Store } from "../../providers/store/store.ts";
import { goldenOf, templateOf } from "../domain/host/fleet-fixture.ts";
import { asActivity } from "./activity-run.ts";

function requestOf(change: Partial<LaunchHostsRequest> = {}): LaunchHostsRequest {
  return {
    fleet: "web",
    batch: 1,
    firstRunId: "first-run",
    template: templateOf(),
    golden: goldenOf(3),
    signingKeys: ["key"],
    decidedAtMs: 1000,
    hosts: [7, 8, 9].map((ordinal, index) => ({ hostId: `web-${ordinal}`, ordinal, zone: "a", fence: 20 + index })),
    ...change,
  };
}

/** Runs `launchHosts` against a provider that has room for `room` hosts of a batch. */
async function launch(request: LaunchHostsRequest, { room = 3, attempt = 1, runId = "run" } = {}) {
  const order: string[] = [];
  const launched: LaunchRequest[] = [];
  const rows: HostRow[] = [];
  const starts: SagaStart[] = [];
  const provider: Pick<ComputeProvider, "launch"> = {
    async launch(asked) {
      order.push("launch");
      launched.push(asked);
      if (room === 0) throw new ForewarmError("INSUFFICIENT_CAPACITY", "no room");
      return asked.hosts.slice(0, room).map((host) => ({
        machineId: `m-${host.ordinal}`,
        fleet: asked.fleet,
        requestId: asked.requestId,
        state: "pending" as const,
        endpoint: null,
        launchedAtMs: 0,
        ...host,
      }));
    },
  };
  const store: Pick<Store, "keepHost"> = {
    keepHost: async (row) => {
      order.push("row");
      rows.push(row);
    },
  };
  const activities = createLaunchActivities({
    provider: provider as ComputeProvider,
    store: store as Store,
    authorizedKey: "ssh-ed25519 AAAA",
    startWorkflow: async (start) => void starts.push(start),
  });
  const info = { attempt, workflowNamespace: "default", workflowExecution: { workflowId: "fleet/web", runId } };
  const answer = asActivity(() => activities.launchHosts(request), info);
  return { answer: await answer.catch((error: unknown) => error), order, launched, rows, starts };
}

describe("launchHosts", () => {
  test("uses one request id for every attempt of a batch, also in a later run of the fleet", async () => {
    const first = await launch(requestOf());
    const again = await launch(requestOf(), { attempt: 5, runId: "continued" });
    expect(again.launched[0]!.requestId).toBe(first.launched[0]!.requestId);
  });

  test("uses another request id for another batch, another fleet's life and another fleet", async () => {
    const ids = await Promise.all(
      [requestOf(), requestOf({ batch: 2 }), requestOf({ firstRunId: "another life" })].map(
        async (request) => (await launch(request)).launched[0]!.requestId,
      ),
    );
    expect(new Set(ids).size).toBe(3);
  });

  test("records every host before the first machine exists", async () => {
    const { order, rows, launched } = await launch(requestOf());
    expect(order).toEqual(["row", "row", "row", "launch"]);
    expect(rows.map((row) => [row.hostId, row.ordinal, row.requestId])).toEqual(
      ["web-7", "web-8", "web-9"].map((hostId, ordinal) => [hostId, ordinal, launched[0]!.requestId]),
    );
  });

  test("starts one bootstrap for each machine, with all it needs to know", async () => {
    const { starts, answer, launched } = await launch(requestOf());
    expect(answer).toEqual({ missing: [] });
    expect(starts.map((start) => start.workflowId)).toEqual([7, 8, 9].map((ordinal) => `bootstrap/web/web-${ordinal}`));
    expect(starts[1]).toMatchObject({
      args: {
        hostId: "web-8",
        ordinal: 8,
        batchOrdinal: 1,
        fence: 21,
        golden: goldenOf(3),
        requestId: launched[0]!.requestId,
      },
      summary: "bootstrap web-8 at epoch 3",
    });
    expect(launched[0]).toMatchObject({ authorizedKey: "ssh-ed25519 AAAA", servicePort: 8080 });
  });

  test("names the hosts that found no room", async () => {
    const { answer, starts } = await launch(requestOf(), { room: 1 });
    expect(answer).toEqual({
      missing: ["web-8", "web-9"].map((hostId) => ({ hostId, reason: "the provider had no room for it" })),
    });
    expect(starts).toHaveLength(1);
  });

  test("fails by code when there is no room at all", async () => {
    const { answer, starts } = await launch(requestOf(), { room: 0 });
    expect(answer).toMatchObject({ type: "INSUFFICIENT_CAPACITY" });
    expect(starts).toEqual([]);
  });
});
