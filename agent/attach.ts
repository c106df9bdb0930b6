import { connect } from "node:net";
import { socketName } from "./socket-server.ts";

/** Joins standard input and output to the daemon's socket until either side ends; the exit code says whether it was there. */
export function attach(stateFolder: string): Promise<number> {
  process.chdir(stateFolder);
  return new Promise((resolve) => {
    const socket = connect(socketName);
    socket.once("error", (error) => {
      process.stderr.write(`no agent listens in ${stateFolder}: ${error.message}\n`);
      resolve(1);
    });
    socket.once("connect", () => {
      process.stdin.pipe(socket).pipe(process.stdout);
      process.stdout.once("error", () => resolve(0));
      socket.once("close", () => resolve(0));
    });
  });
}
