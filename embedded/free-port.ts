import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { z } from "zod";

const portSchema = z.number().int().min(1).max(65_535);
const portsSchema = z.object({ temporal: portSchema, ui: portSchema });
export type TemporalPorts = z.infer<typeof portsSchema>;

const loopback = "127.0.0.1";

/** A TCP port on the loopback address that nobody holds at this moment. */
export async function freePort(): Promise<number> {
  const held = await listen(0);
  await held.close();
  return held.port;
}

/** True when nobody listens at that loopback port. */
export async function isPortFree(port: number): Promise<boolean> {
  try {
    await (await listen(port)).close();
    return true;
  } catch {
    return false;
  }
}

/** The ports of the last start where they are still free, else new ones; remembered in `file`. */
export async function choosePorts(file: string): Promise<TemporalPorts> {
  const before = rememberedPorts(file);
  const ports = { temporal: await keepOrFind(before?.temporal), ui: await keepOrFind(before?.ui) };
  writeFileSync(file, `${JSON.stringify(ports)}\n`);
  return ports;
}

async function keepOrFind(port: number | undefined): Promise<number> {
  return port !== undefined && (await isPortFree(port)) ? port : await freePort();
}

function rememberedPorts(file: string): TemporalPorts | null {
  try {
    return portsSchema.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch {
    return null;
  }
}

async function listen(port: number): Promise<{ port: number; close(): Promise<void> }> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port, host: loopback, exclusive: true }, resolve);
  });
  const address = server.address();
  const bound = typeof address === "object" && address !== null ? address.port : port;
  return { port: bound, close: () => new Promise((resolve) => server.close(() => resolve())) };
}
