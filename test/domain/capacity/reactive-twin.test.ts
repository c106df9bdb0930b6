import { expect, test } from "vitest";
import { decideReactive, decideStatic } from "../../../domain/capacity/reactive-twin.ts";
import { flat, inputOf, policy } from "./capacity-inputs.ts";

test("reactive: the same buffer over measured demand whatever the forecast says", () => {
  const decision = decideReactive(inputOf({ forecastPaths: [flat(900)] }), 3);
  expect(decision).toMatchObject({ servingTarget: 5, standbyTarget: 3, basis: "buffer", validUntilMs: 1_120_000 });
});

test("static: what demand does not take of the fixed count stands by", () => {
  expect(decideStatic(inputOf(), 12)).toMatchObject({ servingTarget: 5, standbyTarget: 7, basis: "static" });
  expect(decideStatic(inputOf({ recentDemand: flat(150) }), 12)).toMatchObject({ servingTarget: 15, standbyTarget: 0 });
});

test("both keep to the bound of hosts", () => {
  const input = inputOf({ policy: { ...policy, maxHosts: 6 } });
  expect(decideReactive(input, 9).standbyTarget).toBe(1);
  expect(decideStatic(input, 9).standbyTarget).toBe(1);
});
