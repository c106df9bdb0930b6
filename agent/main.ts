import { parseArgs } from "node:util";
import { isForewarmError } from "../domain/errors.ts";
import { agentVersion } from "./answer.ts";
import { attach } from "./attach.ts";
import { readAgentConfig } from "./config.ts";
import { runDaemon } from "./daemon.ts";

const usage = "usage: agent daemon|attach|version [--state DIR]\n";

async function main(args: string[]): Promise<void> {
  const { values, positionals } = parseArgs({ args, options: { state: { type: "string" } }, allowPositionals: true });
  const config = readAgentConfig(values.state);
  switch (positionals[0]) {
    case "daemon":
      return runDaemon(config, () => Date.now());
    case "attach":
      process.exit(await attach(config.stateFolder));
      break;
    case "version":
      process.stdout.write(`${agentVersion}\n`);
      return;
    default:
      process.stderr.write(usage);
      process.exitCode = 2;
  }
}

// Whoever started the agent may be gone, and with it the reading end.
process.stderr.on("error", () => undefined);
main(process.argv.slice(2)).catch((error: unknown) => {
  const known = isForewarmError(error) ? `${error.code}: ${error.message}` : String(error);
  process.stderr.write(`agent: ${known}\n`);
  process.exit(1);
});
