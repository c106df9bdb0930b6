import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { chownSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "pg";

const binaries = "/usr/lib/postgresql/15/bin";

/** Whether a Postgres to test with is at hand: one that the environment names, or Debian's postgresql-15. */
export const postgresMissing =
  process.env["FOREWARM_TEST_DATABASE_URL"] === undefined && !existsSync(join(binaries, "postgres"));

export interface PostgresServer {
  /** A new empty database; gives its connection string. */
  createDatabase(): Promise<string>;
  stop(): Promise<void>;
  start(): Promise<void>;
  /** Ends the server and removes its folder. */
  remove(): Promise<void>;
}

/** Postgres refuses to run as root, so then its own user runs it. */
function serverUser(): { uid: number; gid: number } | Record<string, never> {
  if (process.getuid?.() !== 0) return {};
  const [uid, gid] = ["-u", "-g"].map((flag) => Number(execFileSync("id", [flag, "postgres"], { encoding: "utf8" })));
  return { uid: uid!, gid: gid! };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no free port");
  return address.port;
}

async function withClient<Result>(url: string, work: (client: Client) => Promise<Result>): Promise<Result> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

async function accepts(url: string): Promise<boolean> {
  try {
    await withClient(url, (client) => client.query("select 1"));
    return true;
  } catch {
    return false;
  }
}

async function until(condition: () => Promise<boolean>, deadlineMs: number): Promise<void> {
  const end = Date.now() + deadlineMs;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error("Postgres did not start in time");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function createDatabaseOn(url: string): Promise<string> {
  const name = `forewarm_test_${randomUUID().replaceAll("-", "")}`;
  await withClient(url, (client) => client.query(`create database ${name}`));
  return Object.assign(new URL(url), { pathname: `/${name}` }).href;
}

/** A server of its own in a temporary folder, on a free loopback port. */
async function startOwnServer(): Promise<PostgresServer> {
  const user = serverUser();
  const folder = mkdtempSync(join(tmpdir(), "forewarm-postgres-"));
  if (user.uid !== undefined) chownSync(folder, user.uid, user.gid);
  const data = join(folder, "data");
  const initArguments = ["-D", data, "-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C"];
  execFileSync(join(binaries, "initdb"), initArguments, { ...user, cwd: folder, stdio: "ignore" });
  const port = await freePort();
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  let server: ChildProcess | undefined;
  const stop = async () => {
    const running = server;
    server = undefined;
    if (running === undefined || running.exitCode !== null) return;
    const ended = once(running, "exit");
    running.kill("SIGINT");
    await ended;
  };
  const start = async () => {
    const settings = ["-c", "listen_addresses=127.0.0.1", "-c", `unix_socket_directories=${folder}`, "-c", "fsync=off"];
    const serverArguments = ["-D", data, "-p", String(port), ...settings];
    server = spawn(join(binaries, "postgres"), serverArguments, { ...user, cwd: folder, stdio: "ignore" });
    await until(() => accepts(url), 20_000);
  };
  await start();
  return {
    createDatabase: () => createDatabaseOn(url),
    start,
    stop,
    remove: async () => {
      await stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Starts the server, or uses the one named by FOREWARM_TEST_DATABASE_URL, which nobody stops. */
export async function startPostgres(): Promise<PostgresServer> {
  const given = process.env["FOREWARM_TEST_DATABASE_URL"];
  if (given === undefined) return startOwnServer();
  const nothing = async () => undefined;
  return { createDatabase: () => createDatabaseOn(given), start: nothing, stop: nothing, remove: nothing };
}
