import { expect, test } from "vitest";
import { createSeededRandom } from "../../domain/seeded-random.ts";

const draw = (seed: number, count = 10_000): number[] => Array.from({ length: count }, createSeededRandom(seed));

test("a seed gives the same numbers again, another seed others", () => {
  expect(draw(7, 100)).toEqual(draw(7, 100));
  expect(draw(7, 100)).not.toEqual(draw(8, 100));
});

test("numbers are drawn evenly from [0, 1)", () => {
  const draws = draw(42);
  expect(Math.min(...draws)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...draws)).toBeLessThan(1);
  const tenths = Array.from(
    { length: 10 },
    (_, tenth) => draws.filter((number) => Math.floor(number * 10) === tenth).length,
  );
  for (const count of tenths) expect(Math.abs(count - 1000)).toBeLessThan(150);
});
