import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { pino } from "pino";
import { isForewarmError } from "../../../domain/errors.ts";
import { readRackConfig } from "./config.ts";
import { refuseSecondRack, serveControl } from "./control-api.ts";
import { isolationWarnings } from "./isolation.ts";
import { lockHome } from "./rack-lock.ts";
import { startRack } from "./start-rack.ts";

async function main(): Promise<void> {
  const config = readRackConfig();
  const log = pino({ name: "rack", level: config.logLevel }, pino.destination(2));
  await mkdir(dirname(config.socketPath), { recursive: true });
  await refuseSecondRack(config.socketPath);
  const unlock = await lockHome(config.home);
  const started = await startRack(config, log);
  const { rack, isolation, adopted } = started;
  const endControl = await serveControl(rack, config.socketPath, log);
  const { socketPath, addresses } = config;
  const ready = { ready: true, pid: process.pid, socketPath, isolation, addresses, adopted };
  process.stdout.write(`${JSON.stringify({ ...ready, warnings: isolationWarnings(isolation) })}\n`);

  let ending = false;
  const end = () => {
    if (ending) return;
    ending = true;
    endControl()
      .then(() => started.close())
      .then(unlock)
      .then(
        () => process.exit(0),
        (error: unknown) => {
          log.error({ err: error }, "the rack did not end cleanly");
          process.exit(1);
        },
      );
  };
  process.on("SIGTERM", end);
  process.on("SIGINT", end);
}

main().catch((error: unknown) => {
  const known = isForewarmError(error);
  const text = known
    ? `${error.code}: ${error.message}. ${error.cure}`
    : String(error instanceof Error ? error.stack : error);
  process.stderr.write(`rack: ${text}\n`);
  process.exit(1);
});
