// A small web server whose capacity is known: `slots` requests at a time, each held for `service_ms`.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";

const { FOREWARM_ADDRESS, FOREWARM_PORT, FOREWARM_CONFIGURATION, FOREWARM_HOST_ID = "unknown" } = process.env;

const defaults = {
  greeting: "Hello",
  slots: 8,
  queue: 64,
  service_ms: 20,
  cpu_ms: 0.5,
  body_bytes: 0,
};

/** Reads web.json; missing keys take their default. Throws when a value is out of range. */
function readConfiguration() {
  const file = join(FOREWARM_CONFIGURATION ?? "", "web.json");
  const text = readFileSync(file, "utf8");
  const version = createHash("sha256").update(text).digest("hex").slice(0, 12);
  const given = { ...defaults, version, ...JSON.parse(text) };
  for (const [key, value] of Object.entries(defaults)) {
    if (typeof value !== "number") continue;
    if (!Number.isFinite(given[key]) || given[key] < 0)
      throw new Error(`${file}: ${key} must be a number of 0 or more`);
  }
  if (given.slots < 1) throw new Error(`${file}: slots must be 1 or more`);
  return { ...given, filler: "x".repeat(given.body_bytes) };
}

let configuration = readConfiguration();
let busySlots = 0;
let stopping = false;
const waiting = [];

/** A bad file leaves the running configuration in force. */
function reload() {
  try {
    configuration = readConfiguration();
    console.log(`configuration ${configuration.version} in force`);
  } catch (error) {
    console.error(`configuration ${configuration.version} stays: ${error.message}`);
  }
  startWaiting();
}

function startWaiting() {
  while (waiting.length > 0 && busySlots < configuration.slots) serve(waiting.shift());
}

function admit(response) {
  if (busySlots < configuration.slots) return serve(response);
  if (waiting.length >= configuration.queue) return answer(response, 503, { error: "all slots are busy" });
  waiting.push(response);
}

/** Holds a slot for the service time; hashing takes its first `cpu_ms`. */
function serve(response) {
  if (response.destroyed) return;
  busySlots += 1;
  const { service_ms, cpu_ms } = configuration;
  const startedMs = performance.now();
  const digest = burn(startedMs + cpu_ms);
  setTimeout(() => finish(response, digest), Math.max(0, service_ms - (performance.now() - startedMs)));
}

function burn(untilMs) {
  let digest = Buffer.alloc(32);
  while (performance.now() < untilMs) digest = createHash("sha256").update(digest).digest();
  return digest.toString("hex", 0, 8);
}

function finish(response, digest) {
  const { version, greeting, filler } = configuration;
  answer(response, 200, {
    host: FOREWARM_HOST_ID,
    version,
    message: `${greeting} from ${FOREWARM_HOST_ID}`,
    digest,
    filler,
  });
  busySlots -= 1;
  startWaiting();
}

function answer(response, statusCode, body) {
  const text = JSON.stringify(body);
  const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(text) };
  if (stopping) headers.connection = "close";
  response.writeHead(statusCode, headers).end(text);
}

const server = createServer((request, response) => {
  request.resume();
  if (request.url !== "/health") return admit(response);
  answer(response, 200, { status: "ok", version: configuration.version, busySlots, waiting: waiting.length });
});

process.on("SIGHUP", reload);
process.on("SIGTERM", () => {
  stopping = true;
  server.close(() => process.exit(0));
});
server.listen(Number(FOREWARM_PORT), FOREWARM_ADDRESS, () => {
  console.log(`serving configuration ${configuration.version} on ${FOREWARM_ADDRESS}:${FOREWARM_PORT}`);
});
