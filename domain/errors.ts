/**
 * Every error a user can meet: a stable code, whether trying again can help, and the cure to print.
 * Expected outcomes are return values; these are for what went wrong.
 */
export const errorCatalogue = {
  TEMPLATE_INVALID: { retryable: false, cure: "Correct the template at the place named and run `forewarm validate`." },
  TEMPLATE_UNREADABLE: { retryable: false, cure: "Give the path of a readable YAML file of at most 1 MiB." },
  MANIFEST_REFUSED: { retryable: false, cure: "Sign the golden configuration with a key the template lists." },
  MANIFEST_EXPIRED: { retryable: false, cure: "Run `forewarm apply` again to sign the golden configuration anew." },
  FENCE_REFUSED: {
    retryable: false,
    cure: "A newer operation holds this host; read `forewarm status` and let it finish.",
  },
  DIGEST_MISMATCH: {
    retryable: true,
    cure: "The content on the host differs from what was signed; it is staged again.",
  },
  INSUFFICIENT_CAPACITY: { retryable: true, cure: "The provider has no room; lower the targets or add zones." },
  THROTTLED: { retryable: true, cure: "The provider asks for fewer calls; they are repeated later." },
  NOT_FOUND: { retryable: false, cure: "The named thing does not exist; check the name with `forewarm status`." },
  INVALID_REQUEST: { retryable: false, cure: "The provider refused the request as wrong; correct the template." },
  UNAUTHORIZED: { retryable: false, cure: "Check the credentials of the provider or the fleet's SSH key." },
  PROVIDER_UNREACHABLE: {
    retryable: true,
    cure: "Check that the provider (locally: the rack) runs: `forewarm doctor`.",
  },
  HOST_UNREACHABLE: { retryable: true, cure: "The host does not answer over SSH; it is tried again, then replaced." },
  HOST_KEY_CHANGED: {
    retryable: false,
    cure: "The host is quarantined: it gets no traffic and keeps its machine. Compare both keys before you trust it.",
  },
  CHANNEL_LOST: {
    retryable: true,
    cure: "The SSH connection broke in mid-command; the outcome is read back, then tried again.",
  },
  COMMAND_FAILED: { retryable: true, cure: "Read the command's output in the event and mend the cause." },
  COMMAND_TIMED_OUT: { retryable: true, cure: "Raise the deadline in the template or make the command faster." },
  CANCELLED: { retryable: false, cure: "The operation was cancelled on request." },
  AGENT_PROTOCOL: { retryable: false, cure: "Agent and worker versions are too far apart; replace the host." },
  VERIFY_FAILED: {
    retryable: true,
    cure: "Read the failed check in `forewarm status` and mend the workload or the check.",
  },
  LOAD_BALANCER_UNREACHABLE: { retryable: true, cure: "Check that the load balancer runs: `forewarm doctor`." },
  STALE_STATE_VERSION: { retryable: false, cure: "A newer state was synced already; nothing to do." },
  STORE_LOCKED: {
    retryable: false,
    cure: "Another process owns the embedded store; set DATABASE_URL to share a Postgres.",
  },
  STORE_UNREACHABLE: { retryable: true, cure: "Check DATABASE_URL and that Postgres accepts connections." },
  BLOB_INVALID: { retryable: false, cure: "The content does not match its digest; send it again." },
  TEMPORAL_UNREACHABLE: { retryable: true, cure: "Start the stack with `forewarm up`, or set TEMPORAL_ADDRESS." },
  TEMPORAL_MISSING: {
    retryable: false,
    cure: "Set TEMPORAL_ADDRESS or TEMPORAL_CLI_PATH, or install Go 1.23 or newer.",
  },
  HOME_IN_USE: {
    retryable: false,
    cure: "Stop the other stack with `forewarm down`, or choose another FOREWARM_HOME.",
  },
  PORT_IN_USE: { retryable: false, cure: "Free the port or let Forewarm choose one." },
  DISK_FULL: { retryable: true, cure: "Free disk space; the work goes on by itself." },
  FLEET_UNKNOWN: { retryable: false, cure: "Create the fleet with `forewarm apply TEMPLATE`." },
  CLAIM_REFUSED: { retryable: false, cure: "Read the reason; claim ids are unique for each request." },
  POLICY_REFUSED: { retryable: false, cure: "The template's policy forbids this; change the template first." },
  MODEL_NOT_READY: { retryable: false, cure: "There is too little history; the fallback policy is used meanwhile." },
  USAGE: { retryable: false, cure: "See `forewarm --help`." },
  INVARIANT: { retryable: false, cure: "This is a defect in Forewarm; please report it with the message." },
} as const satisfies Record<string, { retryable: boolean; cure: string }>;

export type ErrorCode = keyof typeof errorCatalogue;

/** An error with a stable code; `retryable` says whether the same call can succeed later, `cure` what to do. */
export class ForewarmError extends Error {
  override readonly name = "ForewarmError";
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly cure: string;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown; cure?: string }) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryable = errorCatalogue[code].retryable;
    this.cure = options?.cure ?? errorCatalogue[code].cure;
  }
}

/** True for a ForewarmError, also one made by another copy of this module. */
export function isForewarmError(error: unknown): error is ForewarmError {
  return error instanceof Error && error.name === "ForewarmError" && "code" in error;
}

/** Throws INVARIANT when `condition` is false; used where a false value means a defect, never for bad input. */
export function invariant(condition: boolean, message: string): asserts condition {
  if (!condition) throw new ForewarmError("INVARIANT", message);
}
