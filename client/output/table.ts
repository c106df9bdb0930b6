import { fitWidth, padTo, visibleWidth } from "./text-width.ts";

export interface TableColumn {
  title: string;
  /** Numbers stand right; default left. */
  align?: "left" | "right";
  /** May be cut to this many columns where the terminal is narrow; without it the column keeps its width. */
  minWidth?: number;
}

export interface Table {
  columns: readonly TableColumn[];
  rows: readonly (readonly string[])[];
  /** Columns of the terminal. */
  width: number;
  paintTitle?: (text: string) => string;
}

const gap = "  ";

/** Renders aligned columns with their titles; too wide tables give way in the columns that allow it, widest first. */
export function renderTable({ columns, rows, width, paintTitle = (text) => text }: Table): string {
  const natural = columns.map(({ title }, index) =>
    Math.max(visibleWidth(title), ...rows.map((row) => visibleWidth(row[index] ?? ""))),
  );
  const widths = shrink(natural, columns, width - gap.length * (columns.length - 1));
  const line = (cells: readonly string[]): string =>
    columns
      .map(({ align = "left" }, index) => {
        const columnWidth = widths[index] ?? 0;
        return padTo(fitWidth(cells[index] ?? "", columnWidth), columnWidth, align);
      })
      .join(gap)
      .trimEnd();
  const titles = line(columns.map(({ title }) => title));
  return [paintTitle(titles), ...rows.map(line)].join("\n");
}

function shrink(natural: readonly number[], columns: readonly TableColumn[], room: number): number[] {
  const widths = [...natural];
  let excess = widths.reduce((sum, width) => sum + width, 0) - room;
  while (excess > 0) {
    const widest = columns
      .map(({ minWidth }, index) => ({ index, spare: (widths[index] ?? 0) - (minWidth ?? Infinity) }))
      .filter(({ spare }) => spare > 0)
      .sort((left, right) => (widths[right.index] ?? 0) - (widths[left.index] ?? 0))[0];
    if (widest === undefined) break;
    widths[widest.index] = (widths[widest.index] ?? 0) - 1;
    excess -= 1;
  }
  return widths;
}
