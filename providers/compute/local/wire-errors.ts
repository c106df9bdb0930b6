import { z } from "zod";
import type { ErrorCode } from "../../../domain/errors.ts";
import { ForewarmError, isForewarmError } from "../../../domain/errors.ts";

/** The error codes that cross the rack's control socket, each with its HTTP status. */
const statusOfCode = {
  INVALID_REQUEST: 400,
  UNAUTHORIZED: 401,
  NOT_FOUND: 404,
  INSUFFICIENT_CAPACITY: 409,
  THROTTLED: 429,
  PROVIDER_UNREACHABLE: 503,
  PORT_IN_USE: 409,
  DISK_FULL: 507,
} as const satisfies Partial<Record<ErrorCode, number>>;

const codes = Object.keys(statusOfCode) as [keyof typeof statusOfCode];
const wireErrorSchema = z.object({
  error: z.object({ code: z.enum(codes).catch("PROVIDER_UNREACHABLE"), message: z.string() }),
});

/** The HTTP answer that carries an error; one of another code becomes PROVIDER_UNREACHABLE and keeps its message. */
export function toWireError(error: unknown): { status: number; body: z.infer<typeof wireErrorSchema> } {
  const code = codes.find((known) => isForewarmError(error) && error.code === known) ?? "PROVIDER_UNREACHABLE";
  const message = error instanceof Error ? error.message : String(error);
  return { status: statusOfCode[code], body: { error: { code, message } } };
}

/** The error in an HTTP answer of the rack. */
export function fromWireError(body: unknown): ForewarmError {
  const parsed = wireErrorSchema.safeParse(body);
  if (!parsed.success) return new ForewarmError("PROVIDER_UNREACHABLE", "the rack gave an answer nobody understands");
  return new ForewarmError(parsed.data.error.code, parsed.data.error.message);
}

/** The error of a call that got no whole answer. */
export function unreachable(socketPath: string, cause: unknown): ForewarmError {
  return new ForewarmError("PROVIDER_UNREACHABLE", `the rack does not answer at ${socketPath}`, { cause });
}
