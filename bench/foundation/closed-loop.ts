import { fileURLToPath } from "node:url";
import { z } from "zod";
import { run } from "./program.ts";

/** As fast as `connections` keep-alive connections go, each with one request at a time. */
export interface LoadOrder {
  url: string;
  connections: number;
  seconds: number;
}

const resultSchema = z.object({ requests: z.number(), seconds: z.number(), errors: z.number() });
/** What a load reached; `tool` says what made it, since its own cost bounds what can be reached. */
export type LoadResult = z.infer<typeof resultSchema> & { tool: "wrk" | "own" };

function sumOf(numbers: readonly (string | undefined)[]): number {
  return numbers.reduce((sum, text) => sum + Number(text ?? 0), 0);
}

/** Reads the totals that wrk prints at its end. */
function readWrk(text: string): z.infer<typeof resultSchema> {
  const totals = /(\d+) requests in ([\d.]+)s/.exec(text);
  const socketErrors = /connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text)?.slice(1) ?? [];
  const otherStatus = /Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1];
  if (totals === null) throw new Error(`wrk said nothing of its requests:\n${text}`);
  return { requests: Number(totals[1]), seconds: Number(totals[2]), errors: sumOf([...socketErrors, otherStatus]) };
}

/** Drives a URL from a process of its own: wrk where it is installed, else a small program of the bench. */
export async function drive({ url, connections, seconds }: LoadOrder): Promise<LoadResult> {
  const wrk = await run("wrk", ["-t1", `-c${connections}`, `-d${seconds}s`, url]);
  if (wrk.exitCode === 0) return { tool: "wrk", ...readWrk(wrk.stdout) };
  const program = fileURLToPath(new URL("./closed-loop-program.ts", import.meta.url));
  const own = await run(process.execPath, ["--import", "tsx", program, url, String(connections), String(seconds)]);
  if (own.exitCode !== 0) throw new Error(`the load on ${url} failed:\n${own.stderr}`);
  return { tool: "own", ...resultSchema.parse(JSON.parse(own.stdout)) };
}
