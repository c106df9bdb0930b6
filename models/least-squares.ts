/** Sums of a ridge regression, built row by row. */
export interface NormalEquations {
  size: number;
  /** Row-major size × size. */
  products: Float64Array;
  targets: Float64Array;
  rows: number;
}

export function createNormalEquations(size: number): NormalEquations {
  return { size, products: new Float64Array(size * size), targets: new Float64Array(size), rows: 0 };
}

export function addRow(equations: NormalEquations, inputs: ArrayLike<number>, target: number): void {
  const { size, products, targets } = equations;
  for (let row = 0; row < size; row += 1) {
    const input = inputs[row] ?? 0;
    targets[row] = (targets[row] ?? 0) + input * target;
    for (let column = 0; column <= row; column += 1) {
      const index = row * size + column;
      products[index] = (products[index] ?? 0) + input * (inputs[column] ?? 0);
    }
  }
  equations.rows += 1;
}

/**
 * Coefficients that minimise squared error plus `ridge` times the mean diagonal times the squared coefficients.
 * Cholesky decomposition; a direction without any data gets the coefficient 0.
 */
export function solveRidge(equations: NormalEquations, ridge: number): number[] {
  const lower = decompose(equations, ridge);
  return substitute(lower, equations);
}

/** Row-major square matrix. */
interface Matrix {
  size: number;
  cells: Float64Array;
}

function decompose({ size, products }: NormalEquations, ridge: number): Matrix {
  const lower: Matrix = { size, cells: new Float64Array(size * size) };
  const trace = Array.from({ length: size }, (_, row) => cell({ size, cells: products }, row, row));
  const added = (ridge * trace.reduce((sum, value) => sum + value, 0)) / Math.max(1, size) + 1e-12;
  for (let row = 0; row < size; row += 1) {
    for (let column = 0; column <= row; column += 1) {
      let sum = cell({ size, cells: products }, row, column) + (row === column ? added : 0);
      for (let k = 0; k < column; k += 1) sum -= cell(lower, row, k) * cell(lower, column, k);
      lower.cells[row * size + column] =
        row === column ? Math.sqrt(Math.max(sum, 1e-12)) : sum / cell(lower, column, column);
    }
  }
  return lower;
}

function cell({ size, cells }: Matrix, row: number, column: number): number {
  return cells[row * size + column] ?? 0;
}

function substitute(lower: Matrix, { size, targets }: NormalEquations): number[] {
  const solution = Array.from(targets);
  for (let row = 0; row < size; row += 1) {
    for (let k = 0; k < row; k += 1) eliminate(solution, { row, from: k, factor: cell(lower, row, k) });
    solution[row] = (solution[row] ?? 0) / cell(lower, row, row);
  }
  for (let row = size - 1; row >= 0; row -= 1) {
    for (let k = row + 1; k < size; k += 1) eliminate(solution, { row, from: k, factor: cell(lower, k, row) });
    solution[row] = (solution[row] ?? 0) / cell(lower, row, row);
  }
  return solution;
}

function eliminate(solution: number[], { row, from, factor }: { row: number; from: number; factor: number }): void {
  solution[row] = (solution[row] ?? 0) - factor * (solution[from] ?? 0);
}
