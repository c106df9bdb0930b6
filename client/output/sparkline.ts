const blocks = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"] as const;

/** Draws values as one line of eighth blocks from 0 to `max` (default: the largest); gaps are `null` and stay blank. */
export function renderSparkline(
  values: readonly (number | null)[],
  options: { width?: number; max?: number } = {},
): string {
  const shown = options.width === undefined ? values : resample(values, options.width);
  const max = options.max ?? shown.reduce<number>((most, value) => Math.max(most, value ?? 0), 0);
  return shown.map((value) => (value === null ? " " : blockOf(value, max))).join("");
}

function blockOf(value: number, max: number): string {
  const share = max <= 0 ? 0 : Math.min(1, Math.max(0, value / max));
  return blocks[Math.min(blocks.length - 1, Math.round(share * (blocks.length - 1)))] ?? " ";
}

/** Brings a series to at most `width` values; each keeps the largest of those it stands for, so no peak is lost. */
export function resample(values: readonly (number | null)[], width: number): (number | null)[] {
  if (values.length <= width) return [...values];
  return Array.from({ length: width }, (_value, index) => {
    const from = Math.floor((index * values.length) / width);
    const to = Math.floor(((index + 1) * values.length) / width);
    const present = values.slice(from, to).filter((value) => value !== null);
    return present.length === 0 ? null : Math.max(...present);
  });
}
