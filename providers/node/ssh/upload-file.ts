import { createHash, randomUUID } from "node:crypto";
import { ForewarmError } from "../../../domain/errors.ts";
import type { CommandResult, UploadRequest } from "../node-channel.ts";
import type { HostConnection } from "./host-connection.ts";
import { runCommand } from "./run-command.ts";
import { hostPath, shellQuote } from "./shell.ts";
import { describeHost } from "./ssh-errors.ts";

const digestDiffers = 65;

/**
 * Writes a file through one command: temporary name, size and digest read back, mode, sync, rename.
 * Throws DIGEST_MISMATCH, DISK_FULL or COMMAND_FAILED; then the old content is still in place.
 */
export async function uploadFile(
  connection: HostConnection,
  request: UploadRequest,
  signal: AbortSignal,
): Promise<void> {
  const command = uploadCommand(request);
  const result = await runCommand(
    connection,
    { command, stdin: request.content, timeoutMs: request.timeoutMs },
    signal,
  );
  if (result.exitCode !== 0) throw uploadError(connection, request, result);
}

function uploadCommand({ path, content, mode }: UploadRequest): string {
  const expected = `${content.length} ${createHash("sha256").update(content).digest("hex")}`;
  return [
    "set -e",
    `target=${hostPath(path)}`,
    `temporary="$target.${randomUUID()}"`,
    `mkdir -p "$(dirname "$target")"`,
    `trap 'rm -f "$temporary"' EXIT`,
    `cat >"$temporary"`,
    "if command -v sha256sum >/dev/null 2>&1; then sum=sha256sum; else sum='shasum -a 256'; fi",
    `held="$(($(wc -c <"$temporary"))) $($sum <"$temporary" | cut -d ' ' -f 1)"`,
    `if [ "$held" != ${shellQuote(expected)} ]; then echo "holds $held" >&2; exit ${digestDiffers}; fi`,
    `chmod ${mode.toString(8)} "$temporary"`,
    `sync "$temporary" 2>/dev/null || sync`,
    `mv -f "$temporary" "$target"`,
    `sync "$(dirname "$target")" 2>/dev/null || sync`,
  ].join("\n");
}

function uploadError(connection: HostConnection, request: UploadRequest, result: CommandResult): ForewarmError {
  const message = `${describeHost(connection.endpoint)}: upload of ${request.path}: ${result.stderr.trim()}`;
  if (result.exitCode === digestDiffers) return new ForewarmError("DIGEST_MISMATCH", message);
  if (/no space left/i.test(result.stderr)) return new ForewarmError("DISK_FULL", message);
  return new ForewarmError("COMMAND_FAILED", `${message} (exit ${result.exitCode})`);
}
