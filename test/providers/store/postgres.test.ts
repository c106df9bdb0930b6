import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openPostgresStore } from "../../../providers/store/postgres/open-postgres-store.ts";
import { claimRow } from "../../contracts/claim-row.ts";
import { describeStore, hostRow } from "../../contracts/store.ts";
import { startSilentProxy } from "./silent-proxy.ts";
import { type PostgresServer, postgresMissing, startPostgres } from "./postgres-server.ts";

const ownServer = process.env["FOREWARM_TEST_DATABASE_URL"] === undefined;

describe.skipIf(postgresMissing)("on Postgres (skipped when postgresql-15 is missing)", () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.remove());

  describeStore("Postgres", async () => openPostgresStore({ connectionString: await server.createDatabase() }));

  it("lets many workers open and migrate an empty database at once", async () => {
    const connectionString = await server.createDatabase();
    const stores = await Promise.all(Array.from({ length: 6 }, () => openPostgresStore({ connectionString })));
    await stores[0]!.keepHost(hostRow("f", "h1"));
    expect(await stores[5]!.host("f", "h1")).toEqual(hostRow("f", "h1"));
    await Promise.all(stores.map((store) => store.close()));
  });

  it("gives one answer to a claim that two workers keep at once", async () => {
    const connectionString = await server.createDatabase();
    const stores = await Promise.all([
      openPostgresStore({ connectionString }),
      openPostgresStore({ connectionString }),
    ]);
    for (let round = 0; round < 20; round += 1) {
      const rows = stores.map((_, index) => claimRow("f", `c${round}`, `h${index}`));
      const answers = await Promise.all(stores.map((store, index) => store.keepClaims([rows[index]!])));
      expect(answers[0]).toEqual(answers[1]);
    }
    await Promise.all(stores.map((store) => store.close()));
  });

  it.runIf(ownServer)("says STORE_UNREACHABLE while the server is down and goes on when it is back", async () => {
    const store = await openPostgresStore({ connectionString: await server.createDatabase() });
    await store.keepHost(hostRow("f", "h1"));
    await server.stop();
    await expect(store.host("f", "h1")).rejects.toMatchObject({ code: "STORE_UNREACHABLE", retryable: true });
    await server.start();
    expect(await store.host("f", "h1")).toEqual(hostRow("f", "h1"));
    await store.close();
  });

  it("says STORE_UNREACHABLE of a server that vanished without a word, and uses no such connection again", async () => {
    const proxy = await startSilentProxy(await server.createDatabase());
    const store = await openPostgresStore({ connectionString: proxy.url, statementTimeoutMs: 1000 });
    await store.keepHost(hostRow("f", "h1"));
    proxy.silence();
    await expect(store.host("f", "h1")).rejects.toMatchObject({ code: "STORE_UNREACHABLE", retryable: true });
    expect(await store.host("f", "h1")).toEqual(hostRow("f", "h1"));
    await store.close();
    await proxy.close();
  });

  it("says STORE_UNREACHABLE for a database that does not exist", async () => {
    const url = Object.assign(new URL(await server.createDatabase()), { pathname: "/no_such_database" }).href;
    await expect(openPostgresStore({ connectionString: url })).rejects.toMatchObject({ code: "STORE_UNREACHABLE" });
  });
});

it("says STORE_UNREACHABLE when nothing listens", async () => {
  const opening = openPostgresStore({ connectionString: "postgres://forewarm@127.0.0.1:1/forewarm" });
  await expect(opening).rejects.toMatchObject({ code: "STORE_UNREACHABLE" });
});
