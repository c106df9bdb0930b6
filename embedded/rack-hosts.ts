import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { z } from "zod";
import { ForewarmError } from "../domain/errors.ts";

const callTimeoutMs = 15_000;

const machinesSchema = z.array(z.object({ machineId: z.string(), state: z.string() }));

/** How to start the rack of a home again when only its hosts were left. */
const rackMarkSchema = z.object({
  isolation: z.string(),
  addresses: z.string().optional(),
  entry: z.string().optional(),
});
export type RackMark = z.infer<typeof rackMarkSchema>;

/** Notes that hosts may run: they outlive the rack, so that its end alone does not end them. */
export function markHosts(home: string, mark: RackMark): void {
  writeFileSync(markOf(home), JSON.stringify(mark));
}

/** The note of `markHosts`, or null once the hosts of the home were powered off. */
export function readHostsMark(home: string): RackMark | null {
  try {
    return rackMarkSchema.parse(JSON.parse(readFileSync(markOf(home), "utf8")));
  } catch {
    return null;
  }
}

/** Powers off the hosts of a home through the control socket of its rack, and removes the note. Throws PROVIDER_UNREACHABLE. */
export async function powerOffHosts(home: string, socketPath: string): Promise<void> {
  try {
    const machines = machinesSchema.parse(await call(socketPath, "/describe", {}));
    const powered = machines.filter(({ state }) => state === "running" || state === "pending");
    await Promise.all(powered.map(async ({ machineId }) => call(socketPath, "/stop", { machineId })));
  } catch (cause) {
    throw new ForewarmError("PROVIDER_UNREACHABLE", `the hosts of ${home} could not all be powered off`, {
      cause,
      cure: "Run `forewarm down` again.",
    });
  }
  rmSync(markOf(home), { force: true });
}

function markOf(home: string): string {
  return join(home, "run", "hosts-powered.json");
}

async function call(socketPath: string, path: string, body: unknown): Promise<unknown> {
  const content = JSON.stringify(body);
  const answer = await new Promise<{ status: number; content: string }>((resolve, reject) => {
    const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(content) };
    const sent = request({ socketPath, path, method: "POST", headers, timeout: callTimeoutMs }, (response) => {
      text(response).then((answered) => resolve({ status: response.statusCode ?? 0, content: answered }), reject);
    });
    sent.once("timeout", () => sent.destroy(new Error(`the rack did not answer ${path} within ${callTimeoutMs} ms`)));
    sent.once("error", reject);
    sent.end(content);
  });
  if (answer.status !== 200) throw new Error(`the rack answered ${path} with ${answer.status}: ${answer.content}`);
  return JSON.parse(answer.content);
}
