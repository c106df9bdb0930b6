import { setTimeout as delay } from "node:timers/promises";
import { Pool } from "undici";

const hostHeader = "x-forewarm-host";
const connectionsMax = 16;
const requestsPerSecond = 100;
const firstAnswerDeadlineMs = 30_000;

/** One answered request: when it was sent and answered, and by which host; null when no host answered. */
export interface RequestSample {
  sentMs: number;
  answeredMs: number;
  hostId: string | null;
  statusCode: number;
}

/** Light steady load on a fleet's endpoint over keep-alive connections, and the first answer of each host. */
export interface BackgroundLoad {
  /** Sends requests, one after the other, until that host answers one that was sent at `sinceMs` or later. */
  firstAnswerOf: (hostId: string, sinceMs: number) => Promise<RequestSample>;
  /** Ends the load and gives all samples. */
  stop: () => Promise<RequestSample[]>;
}

async function sendOne(pool: Pool): Promise<RequestSample> {
  const sentMs = performance.now();
  const response = await pool.request({ method: "GET", path: "/" });
  const answeredMs = performance.now();
  await response.body.dump();
  const host = response.headers[hostHeader];
  return { sentMs, answeredMs, hostId: typeof host === "string" ? host : null, statusCode: response.statusCode };
}

/** Requests leave at fixed times, whether or not earlier ones were answered. */
async function sendSteadily(send: () => Promise<RequestSample>, signal: AbortSignal): Promise<void> {
  const startMs = performance.now();
  const underWay = new Set<Promise<unknown>>();
  for (let sent = 0; !signal.aborted; sent += 1) {
    await delay(Math.max(0, startMs + (sent * 1000) / requestsPerSecond - performance.now()));
    const request = send().finally(() => underWay.delete(request));
    underWay.add(request);
  }
  await Promise.all(underWay);
}

export function startBackgroundLoad(endpoint: string): BackgroundLoad {
  const pool = new Pool(endpoint, { connections: connectionsMax });
  const samples: RequestSample[] = [];
  const cancel = new AbortController();
  const send = async (): Promise<RequestSample> => {
    const sample = await sendOne(pool);
    samples.push(sample);
    return sample;
  };
  const load = sendSteadily(send, cancel.signal);
  load.catch(() => undefined);
  return {
    async firstAnswerOf(hostId, sinceMs) {
      const isFirst = (sample: RequestSample): boolean => sample.hostId === hostId && sample.sentMs >= sinceMs;
      while (performance.now() - sinceMs < firstAnswerDeadlineMs) {
        const found = samples.find(isFirst);
        if (found !== undefined) return found;
        await send();
      }
      throw new Error(`${hostId} answered no request within ${firstAnswerDeadlineMs / 1000} s of its claim`);
    },
    async stop() {
      cancel.abort();
      await load;
      await pool.close();
      return samples;
    },
  };
}
