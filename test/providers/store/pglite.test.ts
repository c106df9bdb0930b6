import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, describe, expect, it, onTestFinished } from "vitest";
import { openPgliteStore } from "../../../providers/store/pglite/open-pglite-store.ts";
import type { Store } from "../../../providers/store/store.ts";
import { claimRow } from "../../contracts/claim-row.ts";
import { describeStore, hostRow } from "../../contracts/store.ts";

const writerFile = fileURLToPath(new URL("./store-writer.ts", import.meta.url));
const children: ChildProcess[] = [];

interface Writer {
  child: ChildProcess;
  /** Lines printed so far: `open`, then the claims acknowledged. */
  lines: string[];
  /** Resolves when so many lines were printed. */
  printed(count: number): Promise<void>;
  kill(): Promise<void>;
}

function startWriter(directory: string, prefix: string): Writer {
  const child = spawn(process.execPath, ["--import", "tsx", writerFile, directory, prefix]);
  children.push(child);
  const lines: string[] = [];
  const exited = once(child, "exit");
  let errors = "";
  child.stderr.on("data", (part) => {
    errors += String(part);
  });
  const output = createInterface(child.stdout);
  output.on("line", (line) => lines.push(line));
  return {
    child,
    lines,
    printed: async (count) => {
      while (lines.length < count) {
        if (child.exitCode !== null) throw new Error(`the writer ended with ${child.exitCode}: ${errors}`);
        await Promise.race([once(output, "line"), exited]);
      }
    },
    kill: async () => {
      const ended = once(child, "close");
      child.kill("SIGKILL");
      await ended;
    },
  };
}

afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

describe("embedded store", () => {
  const root = mkdtempSync(join(tmpdir(), "forewarm-store-"));
  const directory = join(root, "store");
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  it("makes a folder anew whose creation was cut off, and lets nobody else read it", async () => {
    mkdirSync(join(directory, "data"), { recursive: true, mode: 0o700 });
    writeFileSync(join(directory, "data", "PG_VERSION"), "18\n");
    const store = await openPgliteStore({ directory });
    await store.keepHost(hostRow("reopened", "h1"));
    await store.close();
    expect(statSync(directory).mode & 0o077).toBe(0);
    expect(readdirSync(directory).sort()).toEqual(["created", "data"]);
  });

  describeStore("PGlite", () => openPgliteStore({ directory }));

  it("keeps rows over a reopening and refuses a second opener of this process", async () => {
    const store = await openPgliteStore({ directory });
    await expect(openPgliteStore({ directory })).rejects.toMatchObject({
      code: "STORE_LOCKED",
      message: expect.stringContaining(String(process.pid)),
    });
    expect(await store.host("reopened", "h1")).toEqual(hostRow("reopened", "h1"));
    await store.close();
  });

  it("refuses a second process, naming the owner and the cure", async () => {
    const writer = startWriter(directory, "owner");
    await writer.printed(1);
    await expect(openPgliteStore({ directory })).rejects.toMatchObject({
      code: "STORE_LOCKED",
      message: expect.stringMatching(new RegExp(`process ${writer.child.pid}.*DATABASE_URL`)),
    });
    await writer.kill();
  });

  it("takes over from a killed process, and no row that it acknowledged is lost", async () => {
    const acknowledged: string[] = [];
    const writers = [startWriter(directory, "kill-1")];
    await writers[0]!.printed(60);
    await writers[0]!.kill();
    writers.push(startWriter(directory, "kill-2"));
    await writers[1]!.printed(25);
    await writers[1]!.kill();
    for (const writer of writers) acknowledged.push(...writer.lines.slice(1));
    const warnings: object[] = [];
    const store = await openPgliteStore({ directory, logger: { warn: (fields: object) => warnings.push(fields) } });
    const kept = await allClaimIds(store, "f");
    await store.close();
    expect(warnings).toEqual([{ directory, pid: writers[1]!.child.pid }]);
    expect(acknowledged.length).toBeGreaterThan(80);
    expect(acknowledged.filter((id) => !kept.has(id))).toEqual([]);
  });

  it("says STORE_UNREACHABLE and frees the folder when the database is damaged", async () => {
    const damaged = join(root, "damaged");
    mkdirSync(join(damaged, "data"), { recursive: true });
    writeFileSync(join(damaged, "created"), "");
    writeFileSync(join(damaged, "data", "PG_VERSION"), "18\n");
    await expect(openPgliteStore({ directory: damaged })).rejects.toMatchObject({ code: "STORE_UNREACHABLE" });
    expect(readdirSync(damaged)).not.toContain("owner.json");
  });
});

async function allClaimIds(store: Store, fleet: string): Promise<Set<string>> {
  const ids = new Set<string>();
  for (let after: number | null = 0; after !== null;) {
    const page: Awaited<ReturnType<Store["claims"]>> = await store.claims({ fleet, after });
    for (const row of page.rows) ids.add(row.claimId);
    after = page.next;
  }
  return ids;
}

/** Only a file system of a few megabytes fills up quickly; making one takes root. */
function mountSmallDisk(folder: string): boolean {
  try {
    execFileSync("/bin/mount", ["-t", "tmpfs", "-o", "size=80m", "tmpfs", folder], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

const disk = mkdtempSync(join(tmpdir(), "forewarm-disk-"));
const mounted = process.platform === "linux" && process.getuid?.() === 0 && mountSmallDisk(disk);
afterAll(() => {
  if (mounted) execFileSync("/bin/umount", ["--lazy", disk]);
  rmSync(disk, { recursive: true, force: true });
});

/** A little less than the write-ahead log's next segment of 16 MiB takes, which stops the engine in mid-commit. */
const roomLeftBytes = 15_500_000;

async function fill(store: Store): Promise<void> {
  for (let round = 0; round < 60; round += 1) {
    const content = randomBytes(500_000);
    const sha256 = createHash("sha256").update(content).digest("hex");
    await store.keepBlobChunk({ sha256, index: 0, count: 1, content });
  }
}

describe.skipIf(!mounted)("embedded store on a full disk (skipped without the right to mount a tmpfs)", () => {
  it("says DISK_FULL, keeps what it acknowledged, and goes on when there is room again", async () => {
    const store = await openPgliteStore({ directory: join(disk, "store") });
    onTestFinished(() => store.close());
    await store.keepClaims([claimRow("f", "before", "h1")]);
    const ballast = join(disk, "ballast");
    const free = Number(execFileSync("df", ["--output=avail", "-B1", disk], { encoding: "utf8" }).split("\n")[1]);
    writeFileSync(ballast, Buffer.alloc(free - roomLeftBytes));
    await expect(fill(store)).rejects.toMatchObject({ code: "DISK_FULL", retryable: true });
    const whileFull = await store.claims({ fleet: "f" }).then(
      () => "answered",
      (error: unknown) => (error as { code: string }).code,
    );
    expect(["answered", "DISK_FULL"]).toContain(whileFull);
    rmSync(ballast);
    expect((await store.claims({ fleet: "f" })).rows).toEqual([claimRow("f", "before", "h1")]);
    await store.keepClaims([claimRow("f", "after", "h1")]);
  });
});
