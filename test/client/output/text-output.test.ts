import { describe, expect, test } from "vitest";
import { createPrinter, type OutputMode } from "../../../client/output/print.ts";
import { formatDuration, renderBar, renderProgress } from "../../../client/output/progress.ts";
import { renderSparkline } from "../../../client/output/sparkline.ts";
import { createStyle } from "../../../client/output/style.ts";
import { renderTable } from "../../../client/output/table.ts";

describe("renderTable", () => {
  const columns = [{ title: "host" }, { title: "load", align: "right" }, { title: "note", minWidth: 6 }] as const;
  const rows = [
    ["web-1", "9.5", "serves"],
    ["web-12", "10", createStyle(true).good("waits for the next push")],
  ];

  test("aligns columns and leaves no space at line ends", () => {
    expect(renderTable({ columns, rows: rows.slice(0, 1), width: 80 })).toBe("host   load  note\nweb-1   9.5  serves");
  });

  test("cuts what may be cut to fit the terminal, and colours take no room", () => {
    expect(renderTable({ columns, rows, width: 26 }).split("\n")).toEqual([
      "host    load  note",
      "web-1    9.5  serves",
      "web-12    10  waits for t…",
    ]);
  });
});

describe("renderSparkline", () => {
  test("spans zero to the largest value, gaps blank", () => {
    expect(renderSparkline([0, 1, null, 4, 7])).toBe("▁▂ ▅█");
  });

  test("keeps the peak when there are more values than columns", () => {
    expect(renderSparkline([0, 0, 0, 9, 0, 0], { width: 3 })).toBe("▁█▁");
  });

  test("compares with a given maximum", () => {
    expect(renderSparkline([5, 20], { max: 10 })).toBe("▅█");
  });
});

describe("progress", () => {
  test.each([
    [0, "░░░░"],
    [5, "██░░"],
    [3, "█▎░░"],
    [12, "████"],
  ])("fills %i of 10", (done, bar) => {
    expect(renderBar({ done, total: 10, width: 4 })).toBe(bar);
  });

  test.each([
    [850, "850 ms"],
    [4240, "4.2 s"],
    [59_990, "1 min 0 s"],
    [185_000, "3 min 5 s"],
    [7_800_000, "2 h 10 min"],
  ])("says %i ms as %s", (durationMs, words) => {
    expect(formatDuration(durationMs)).toBe(words);
  });

  test("is one line", () => {
    expect(renderProgress({ label: "ready", done: 1, total: 2, elapsedMs: 900 })).toBe(
      "ready  ██████████░░░░░░░░░░  1 of 2  900 ms",
    );
  });
});

describe("createPrinter", () => {
  function printed(
    mode: OutputMode,
    use: (printer: ReturnType<typeof createPrinter>) => void,
  ): { out: string; err: string } {
    const written = { out: "", err: "" };
    use(createPrinter({ mode, out: (text) => void (written.out += text), err: (text) => void (written.err += text) }));
    return written;
  }

  test.each([
    ["text", "two hosts\n"],
    ["json", "[\n  1,\n  2\n]\n"],
    ["jsonl", "1\n2\n"],
  ] as const)("prints a result as %s", (mode, out) => {
    expect(printed(mode, (printer) => printer.result([1, 2], () => "two hosts"))).toEqual({ out, err: "" });
  });

  test("prints rows as they come, and remarks beside them", () => {
    const both = printed("json", (printer) => {
      printer.row({ host: "web-1" }, () => "web-1");
      printer.note("waiting");
    });
    expect(both).toEqual({ out: '{"host":"web-1"}\n', err: "waiting\n" });
  });
});

test("colours are left out where they are off", () => {
  expect([createStyle(false).bad("x"), createStyle(true).bad("x")]).toEqual(["x", "\x1b[31mx\x1b[39m"]);
});
