/**
 * An estimate of the energy of a token's arithmetic, by the model that the BitNet papers use: matrix products cost what their
 * additions and multiplications cost, each a fixed number of picojoules. Memory, control and everything else of a real
 * machine are left out, and on a CPU they are nearly all. It compares models, not machines.
 *
 * The energies are those of BitNet (Wang et al. 2023, arXiv:2310.11453, table 2), who took them from Horowitz (ISSCC 2014) and
 * PokeBNN (Zhang et al. 2022); the report on 2B4T (arXiv:2504.12285) uses the 7 nm ones.
 */
export const operationPicojoules = {
  "45nm": { int8Add: 0.03, fp16Add: 0.4, fp16Mul: 1.1 },
  "7nm": { int8Add: 0.007, fp16Add: 0.16, fp16Mul: 0.34 },
} as const;

export type ProcessNode = keyof typeof operationPicojoules;

/** A matrix y = W · x with W [rows, cols]. */
export interface CountedMatrix {
  readonly rows: number;
  readonly cols: number;
  readonly ternary: boolean;
}

/** What is counted of a model. */
export interface CountedModel {
  /** Of all layers. */
  readonly matrices: readonly CountedMatrix[];
  readonly head: CountedMatrix | undefined;
  readonly layers: number;
  /** Elements of a layer's queries: heads · size of a head. */
  readonly queryWidth: number;
}

/** Joules. */
export interface ArithmeticEnergy {
  /** Products of the layers' matrices, and attention: what the papers count. */
  readonly layers: number;
  /** The output head, which they leave out. */
  readonly head: number;
}

/** Sequences of this length are what the papers give energies for, every token attending to all of them. */
export const paperPositions = 512;

/** @param positions how many positions the token attends to. */
export function estimateArithmeticEnergy(
  model: CountedModel,
  positions: number,
  node: ProcessNode,
): ArithmeticEnergy {
  const { int8Add, fp16Add, fp16Mul } = operationPicojoules[node];
  const product = ({ rows, cols, ternary }: CountedMatrix): number =>
    ternary
      ? rows * (cols - 1) * int8Add + (rows + cols) * fp16Mul
      : rows * (cols - 1) * fp16Add + rows * cols * fp16Mul;
  // Scores and the weighted sum of values, a multiplication and an addition for each element of each position.
  const attention = model.layers * 2 * model.queryWidth * positions * (fp16Add + fp16Mul);
  const layers = model.matrices.reduce((sum, matrix) => sum + product(matrix), attention);
  return { layers: layers * 1e-12, head: model.head === undefined ? 0 : product(model.head) * 1e-12 };
}
