import * as fc from "fast-check";
import { expect, test } from "vitest";
import { addRow, createNormalEquations, solveRidge } from "../../models/least-squares.ts";

test("finds the coefficients that made the targets", () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: -5, max: 5, noNaN: true }), { minLength: 3, maxLength: 3 }), (truth) => {
      const equations = createNormalEquations(3);
      for (let row = 0; row < 30; row += 1) {
        const inputs = [1, Math.sin(row), (row % 7) - 3];
        addRow(
          equations,
          inputs,
          inputs.reduce((sum, input, index) => sum + input * truth[index]!, 0),
        );
      }
      solveRidge(equations, 0).forEach((coefficient, index) => expect(coefficient).toBeCloseTo(truth[index]!, 4));
    }),
  );
});

test("an input that was always 0 gets the coefficient 0", () => {
  const equations = createNormalEquations(2);
  for (let row = 1; row < 10; row += 1) addRow(equations, [row, 0], 2 * row);
  const [used, unused] = solveRidge(equations, 1e-6);
  expect(used).toBeCloseTo(2, 3);
  expect(unused).toBe(0);
});

test("the ridge pulls coefficients towards 0", () => {
  const equations = createNormalEquations(1);
  for (let row = 1; row < 10; row += 1) addRow(equations, [row], 2 * row);
  expect(solveRidge(equations, 1)[0]).toBeCloseTo(1, 3);
});
