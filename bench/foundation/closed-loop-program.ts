// URL CONNECTIONS SECONDS: asks URL as fast as the connections go and prints {requests, seconds, errors}.
import { Pool } from "undici";

const [url = "", connections = "1", seconds = "1"] = process.argv.slice(2);
const pool = new Pool(new URL(url).origin, { connections: Number(connections) });
const startedMs = performance.now();
const totals = { requests: 0, errors: 0 };

async function askUntil(endMs: number): Promise<void> {
  while (performance.now() < endMs) {
    const answered = await pool
      .request({ method: "GET", path: "/" })
      .then(async ({ statusCode, body }) => {
        await body.dump();
        return statusCode < 400;
      })
      .catch(() => false);
    totals.requests += 1;
    if (!answered) totals.errors += 1;
  }
}

const endMs = startedMs + Number(seconds) * 1000;
await Promise.all(Array.from({ length: Number(connections) }, () => askUntil(endMs)));
console.log(JSON.stringify({ ...totals, seconds: (performance.now() - startedMs) / 1000 }));
await pool.close();
