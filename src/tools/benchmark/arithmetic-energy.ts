/**
 * Estimates the energy of a token's arithmetic by the model of the BitNet papers: each addition and
 * multiplication of a matmul costs a fixed number of picojoules. Memory, control and all else of a real
 * machine are ignored, and on a CPU they are nearly everything. The estimate compares models, not machines.
 *
 * The energies are from BitNet (Wang et al. 2023, arXiv:2310.11453, table 2), which cites Horowitz (ISSCC
 * 2014) and PokeBNN (Zhang et al. 2022). The report on 2B4T (arXiv:2504.12285) uses the 7 nm ones.
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

/** The counted sizes of a model. */
export interface CountedModel {
  /** Matrices of all layers. */
  readonly matrices: readonly CountedMatrix[];
  readonly head: CountedMatrix | undefined;
  readonly layers: number;
  /** Elements of a layer's queries: heads · size of a head. */
  readonly queryWidth: number;
}

/** Joules. */
export interface ArithmeticEnergy {
  /** Matmuls of the layers, and attention: the papers' count. */
  readonly layers: number;
  /** The output head, which the papers ignore. */
  readonly head: number;
}

/** The papers give energies for sequences of this length, with every token attending to all positions. */
export const paperPositions = 512;

/** @param positions number of positions that the token attends to */
export function estimateArithmeticEnergy(
  model: CountedModel,
  positions: number,
  node: ProcessNode,
): ArithmeticEnergy {
  const { int8Add, fp16Add, fp16Mul } = operationPicojoules[node];
  const matmulPicojoules = ({ rows, cols, ternary }: CountedMatrix): number =>
    ternary
      ? rows * (cols - 1) * int8Add + (rows + cols) * fp16Mul
      : rows * (cols - 1) * fp16Add + rows * cols * fp16Mul;
  // Scores and the weighted sum of values: a multiplication and an addition for each element of each
  // position.
  const attention = model.layers * 2 * model.queryWidth * positions * (fp16Add + fp16Mul);
  const layers = model.matrices.reduce((sum, matrix) => sum + matmulPicojoules(matrix), attention);
  return {
    layers: layers * 1e-12,
    head: model.head === undefined ? 0 : matmulPicojoules(model.head) * 1e-12,
  };
}
