import { request as httpRequest } from "node:http";
import type { z } from "zod";
import { ForewarmError } from "../../../domain/errors.ts";
import { fromWireError, unreachable } from "./wire-errors.ts";

export interface RackCall<Schema extends z.ZodType> {
  verb: string;
  body?: unknown;
  answer: Schema;
  method?: "POST" | "PUT";
  signal?: AbortSignal | undefined;
}

interface RawAnswer {
  status: number;
  text: string;
}

function exchange(socketPath: string, call: RackCall<z.ZodType>): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const { verb, method = "POST", signal } = call;
    // A new connection for each call: one kept alive would be broken by every restart of the rack.
    const options = { socketPath, path: `/${verb}`, method, agent: false, ...(signal ? { signal } : {}) };
    const request = httpRequest(options, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString("utf8") }),
      );
    });
    request.on("error", reject);
    request.end(JSON.stringify(call.body ?? {}));
  });
}

function parseAnswer(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** One call to the rack. Throws its error, PROVIDER_UNREACHABLE when it does not answer, CANCELLED on abort. */
export async function callRack<Schema extends z.ZodType>(
  socketPath: string,
  call: RackCall<Schema>,
): Promise<z.infer<Schema>> {
  const { status, text } = await exchange(socketPath, call).catch((error: unknown) => {
    if (call.signal?.aborted) throw new ForewarmError("CANCELLED", `${call.verb} was cancelled`, { cause: error });
    throw unreachable(socketPath, error);
  });
  const body = parseAnswer(text);
  if (status !== 200) throw fromWireError(body);
  const parsed = call.answer.safeParse(body);
  if (parsed.success) return parsed.data;
  throw new ForewarmError("PROVIDER_UNREACHABLE", `the rack answers ${call.verb} in an unknown shape`, {
    cause: parsed.error,
  });
}
