import { Pool } from "undici";

/** What users saw. */
export interface LoadReport {
  requests: number;
  /** Status 500 and above, and broken connections. */
  failures: string[];
  /** Answers by their text. */
  byBody: Record<string, number>;
}

export interface Load {
  report: LoadReport;
  stop(): Promise<LoadReport>;
}

/** Sends GETs over `connections` connections until stopped, or until `count` were sent. */
export function startLoad(endpoint: string, options: { connections: number; count?: number }): Load {
  const pool = new Pool(endpoint, { connections: options.connections });
  const report: LoadReport = { requests: 0, failures: [], byBody: {} };
  let wanted = options.count ?? Infinity;
  const user = async (): Promise<void> => {
    while (report.requests < wanted) {
      report.requests += 1;
      await sendOne(pool, report);
    }
  };
  const users = Promise.all(Array.from({ length: options.connections }, user));
  return {
    report,
    async stop() {
      wanted = 0;
      await users;
      await pool.close();
      return report;
    },
  };
}

/** Sends `count` GETs and reports. */
export async function sendLoad(endpoint: string, options: { connections: number; count: number }): Promise<LoadReport> {
  const load = startLoad(endpoint, options);
  await until(() => load.report.requests >= options.count, "the load to be sent");
  return load.stop();
}

async function sendOne(pool: Pool, report: LoadReport): Promise<void> {
  try {
    const { statusCode, body } = await pool.request({ path: "/", method: "GET" });
    const text = await body.text();
    if (statusCode >= 500) report.failures.push(`${statusCode} ${text.trim()}`);
    else report.byBody[text] = (report.byBody[text] ?? 0) + 1;
  } catch (error) {
    report.failures.push(String(error));
  }
}

/** Waits for a fact, for at most ten seconds. */
export async function until(fact: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadlineMs = Date.now() + 10_000;
  while (!(await fact())) {
    if (Date.now() > deadlineMs) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
