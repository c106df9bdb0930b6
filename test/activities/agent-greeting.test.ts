import { describe, expect, test } from "vitest";
import { reviveAgent } from "../../activities/agent-greeting.ts";
import { ForewarmError, type ErrorCode } from "../../domain/errors.ts";
import type { HostEndpoint } from "../../domain/host/host-endpoint.ts";
import type { NodeChannel } from "../../providers/node/node-channel.ts";
import { agentStartCommand } from "../../schema/agent-protocol.ts";
import { asActivity } from "./activity-run.ts";

/** A host whose agent refuses this many times, and starts to answer only after it was started. */
async function revive(refusals: number, code: ErrorCode = "HOST_UNREACHABLE") {
  const commands: string[] = [];
  let left = refusals;
  const channel: Pick<NodeChannel, "call" | "run"> = {
    call: async () => {
      if (left > 0) {
        left -= 1;
        throw new ForewarmError(code, "no agent listens");
      }
      return {} as never;
    },
    run: async (_, { command }) => {
      commands.push(command);
      return { exitCode: 0, stdout: "", stderr: "", durationMs: 1 };
    },
  };
  const endpoint = { hostId: "web-1" } as HostEndpoint;
  const work = (): Promise<void> => reviveAgent(channel as NodeChannel, endpoint);
  const failure = await asActivity(work).then(
    () => null,
    (error: unknown) => error,
  );
  return { commands, failure };
}

describe("reviveAgent", () => {
  test("leaves an agent that answers alone", async () => {
    expect(await revive(0)).toEqual({ commands: [], failure: null });
  });

  test("starts one that has died and waits until it listens", async () => {
    expect(await revive(3)).toEqual({ commands: [agentStartCommand], failure: null });
  });

  test("starts nothing on a host that is not itself any more", async () => {
    const { commands, failure } = await revive(1, "HOST_KEY_CHANGED");
    expect(commands).toEqual([]);
    expect(failure).toMatchObject({ code: "HOST_KEY_CHANGED" });
  });
});
