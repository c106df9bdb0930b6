#!/usr/bin/env node
import { createProgram } from "./program.ts";
import { runCli } from "./run-cli.ts";

// A reader that goes away, such as `head`, is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(0);
});

process.exitCode = await runCli(createProgram(), process.argv.slice(2));
