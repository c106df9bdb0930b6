/** Headers that belong to one connection (RFC 9110 §7.6.1), and `expect`, which this end already answered. */
const hopByHop = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "proxy-authenticate",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "expect",
]);

const forwardedFor = "x-forwarded-for";

/** Names listed in a `connection` header, which are hop-by-hop too; null in the usual case of none. */
function connectionNames(connection: string | undefined): Set<string> | null {
  if (connection === undefined || connection === "keep-alive" || connection === "close") return null;
  return new Set(connection.split(",").map((name) => name.trim().toLowerCase()));
}

/** A request's raw headers (name, value, name, …) as sent on to a backend. */
export function requestHeaders(
  raw: readonly string[],
  client: { address: string; connection: string | undefined },
): string[] {
  const listed = connectionNames(client.connection);
  const headers: string[] = [];
  let chain = client.address;
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index] ?? "";
    const value = raw[index + 1] ?? "";
    const lower = name.toLowerCase();
    if (lower === forwardedFor) chain = `${value}, ${client.address}`;
    else if (!hopByHop.has(lower) && listed?.has(lower) !== true) headers.push(name, value);
  }
  headers.push(forwardedFor, chain);
  return headers;
}

/** A response's raw headers as sent on to the user, with the host that answered. */
export function responseHeaders(raw: readonly (Buffer | string)[], hostId: string, closing: boolean): string[] {
  const headers: string[] = [];
  let listed: Set<string> | null = null;
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = String(raw[index]);
    const lower = name.toLowerCase();
    const value = latin1(raw[index + 1]);
    if (lower === "connection") listed = connectionNames(value);
    else if (!hopByHop.has(lower)) headers.push(name, value);
  }
  headers.push("x-forewarm-host", hostId);
  if (closing) headers.push("connection", "close");
  return listed === null ? headers : withoutListed(headers, listed);
}

function withoutListed(headers: string[], listed: Set<string>): string[] {
  return headers.filter((_, index) => !listed.has((headers[index - (index % 2)] ?? "").toLowerCase()));
}

function latin1(value: Buffer | string | undefined): string {
  return typeof value === "string" ? value : (value?.toString("latin1") ?? "");
}
