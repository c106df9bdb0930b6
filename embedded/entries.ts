import { createRequire } from "node:module";
import { extname } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** A program and its arguments, as `spawn` takes them. */
export interface Command {
  command: string;
  args: string[];
}

/** Entry points of this package that run as processes of their own. */
const entryNames = {
  rack: "providers/compute/local/main",
  "load-balancer": "providers/load-balancer/local/main",
  worker: "worker/main",
  supervisor: "embedded/main",
} as const;

/** How to run one of our entries: compiled beside compiled code, through tsx beside sources. */
export function entryCommand(name: keyof typeof entryNames): Command {
  const extension = extname(import.meta.url);
  return nodeCommand(fileURLToPath(new URL(`../${entryNames[name]}${extension}`, import.meta.url)));
}

/** How to run one of our entries, or the file that replaces it. */
export function commandFor(name: keyof typeof entryNames, replacement: string | undefined): Command {
  return replacement === undefined ? entryCommand(name) : nodeCommand(replacement);
}

/** How to run a TypeScript or JavaScript file with this Node. */
export function nodeCommand(file: string): Command {
  if (extname(file) !== ".ts") return { command: process.execPath, args: [file] };
  // Resolved here, because a bare name would be looked up from the child's working directory.
  const loader = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;
  return { command: process.execPath, args: ["--import", loader, file] };
}
