import { describe, expect, test } from "vitest";
import { renderBandPlot } from "../../../client/output/band-plot.ts";

const plot = {
  history: [10, 20, null, 40],
  forecast: [
    { low: 30, median: 50, high: 70 },
    { low: 20, median: 60, high: 100 },
  ],
  capacity: [60, 60, 60, 60, 80, 80],
  height: 5,
  width: 40,
  unit: "requests/s",
};

describe("renderBandPlot", () => {
  test("draws demand, band, median and capacity on one scale", () => {
    expect(renderBandPlot(plot).split("\n")).toEqual([
      "100 ┤    ┊ ░",
      "    ┤    ┊░░",
      " 50 ┤▔▔▔▔┊──",
      "    ┤   ●┊░░",
      "  0 ┤●●  ┊ ░",
      "    └───────",
      "     ● demand (requests/s)  ─ forecast  ░ band  ▔ hosts can carry",
    ]);
  });

  test("fits the width and keeps the highest point", () => {
    const history = Array.from({ length: 500 }, (_value, index) => (index === 250 ? 100 : 1));
    const lines = renderBandPlot({ ...plot, history, capacity: [] }).split("\n");
    expect(Math.max(...lines.slice(0, -1).map((line) => line.length))).toBeLessThanOrEqual(40);
    expect(lines[0]).toContain("●");
  });

  test("says only what it shows", () => {
    expect(
      renderBandPlot({ ...plot, forecast: [], capacity: [] })
        .split("\n")
        .at(-1)
        ?.trim(),
    ).toBe("● demand (requests/s)");
  });
});
