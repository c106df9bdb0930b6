const secondsPerUnit: Record<string, number> = { ms: 0.001, s: 1, sec: 1, m: 60, min: 60, h: 3600, d: 86_400 };

/** The candidate an operator most likely meant, or null; units left out and camelCase count as near. */
export function nearest(word: string, candidates: readonly string[]): string | null {
  const snake = word
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .replaceAll("-", "_")
    .toLowerCase();
  const unitless = candidates.filter(
    (candidate) => candidate.startsWith(`${snake}_`) || snake.startsWith(`${candidate}_`),
  );
  const exact =
    candidates.find((candidate) => candidate === snake) ?? (unitless.length === 1 ? unitless[0] : undefined);
  if (exact !== undefined) return exact;
  const ranked = candidates
    .map((candidate) => ({ candidate, distance: editDistance(snake, candidate) }))
    .sort((left, right) => left.distance - right.distance);
  const best = ranked[0];
  if (best === undefined || best.distance > Math.max(1, Math.floor(snake.length / 3))) return null;
  return best.candidate;
}

/** Fewest insertions, deletions, replacements and swaps of neighbours (optimal string alignment distance). */
export function editDistance(left: string, right: string): number {
  if (Math.abs(left.length - right.length) > 8) return Math.max(left.length, right.length);
  const rows: number[][] = [Array.from({ length: right.length + 1 }, (_value, index) => index)];
  for (let row = 1; row <= left.length; row += 1) {
    const line = [row];
    for (let column = 1; column <= right.length; column += 1) {
      const same = left[row - 1] === right[column - 1] ? 0 : 1;
      const swapped = left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1];
      line[column] = Math.min(
        cell(rows, row - 1, column) + 1,
        (line[column - 1] ?? 0) + 1,
        cell(rows, row - 1, column - 1) + same,
        swapped ? cell(rows, row - 2, column - 2) + 1 : Infinity,
      );
    }
    rows[row] = line;
  }
  return cell(rows, left.length, right.length);
}

function cell(rows: readonly number[][], row: number, column: number): number {
  return rows[row]?.[column] ?? Infinity;
}

/** What to write instead of `"5m"`, `"10%"`, `"3"` or `yes` where a number or a truth value belongs; null if unclear. */
export function plainValueFor(key: string, given: unknown, types: readonly string[]): string | null {
  if (typeof given === "number") return shareFor(key, given);
  if (typeof given !== "string") return null;
  if (types.includes("boolean")) return truthFor(given);
  if (types.some((type) => type === "number" || type === "integer")) return numberFor(key, given.trim());
  return null;
}

function shareFor(key: string, given: number): string | null {
  const isShare = key === "target_utilization" || key === "service_level" || key.endsWith("_share");
  return isShare && given > 1 && given <= 100 ? `write ${trim(given / 100)} for ${given} %` : null;
}

function truthFor(given: string): string | null {
  if (/^(yes|on|true)$/i.test(given)) return "write true";
  return /^(no|off|false)$/i.test(given) ? "write false" : null;
}

function numberFor(key: string, given: string): string | null {
  if (/^-?\d+(\.\d+)?$/.test(given)) return `write ${given} without quotes`;
  const percent = /^(\d+(?:\.\d+)?)\s*%$/.exec(given)?.[1];
  if (percent !== undefined) return `write ${trim(Number(percent) / (key.endsWith("_percent") ? 1 : 100))}`;
  return durationFor(key, given);
}

function durationFor(key: string, given: string): string | null {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)\s*([a-z]+)$/i.exec(given) ?? [];
  const factor = secondsPerUnit[(unit ?? "").toLowerCase()];
  if (amount === undefined || factor === undefined) return null;
  const isHours = key.endsWith("_hours");
  return `write ${trim((Number(amount) * factor) / (isHours ? 3600 : 1))}: the unit is ${isHours ? "hours" : "seconds"}`;
}

function trim(value: number): string {
  return String(Number(value.toPrecision(6)));
}
