import { detachedOptionsSchema, failureMessage, type SupervisorMessage } from "./detach.ts";
import { runUntilSignal } from "./run-until-signal.ts";

/** The supervisor of `forewarm up --detach`: tells its starter how the start goes, then lives on without it. */
async function main(): Promise<void> {
  const options = detachedOptionsSchema.parse(JSON.parse(process.argv[2] ?? "null"));
  const onProgress = (line: string): void => tell({ kind: "progress", line });
  try {
    const end = await runUntilSignal({ ...options, onProgress }, (info) => tell({ kind: "ready", info }));
    process.exitCode = end === "stopped" ? 0 : 130;
  } catch (error) {
    tell(failureMessage(error));
    process.exitCode = 1;
  } finally {
    if (process.connected) process.disconnect();
  }
}

function tell(message: SupervisorMessage): void {
  if (process.connected) process.send?.(message);
}

await main();
