/**
 * What a kernel module exports. Contracts (shapes, layouts, alignment, exactness) stand on the functions in assembly/kernels;
 * every `number` named …Address is a byte address in the module's memory, every …Stride is in bytes.
 */
export interface Kernels {
  readonly matmul_ternary_i8_plain: MatmulTernary;
  readonly matmul_ternary_i8_wide: MatmulTernary;
  readonly matmul_ternary_i8_narrow: MatmulTernary;
  readonly matmul_ternary_listed_i8_plain: MatmulTernaryListed;
  readonly matmul_ternary_listed_i8_wide: MatmulTernaryListed;
  readonly matmul_ternary_listed_i8_narrow: MatmulTernaryListed;
  matmul_ternary_columns_i8(
    columnsAddress: number,
    rows: number,
    rowBegin: number,
    rowEnd: number,
    activationsAddress: number,
    listAddress: number,
    listed: number,
    recordAddress: number,
    outputAddress: number,
    scratchAddress: number,
    scale: number,
    accumulate: number,
  ): void;
  list_positive(inputAddress: number, begin: number, end: number, listAddress: number): number;
  list_nonzero(activationsAddress: number, count: number, listAddress: number): number;
  gate_relu2_listed(gateAddress: number, upAddress: number, begin: number, end: number): void;
  transpose_ternary(
    weightsAddress: number,
    rows: number,
    cols: number,
    rowBegin: number,
    rowEnd: number,
    outputAddress: number,
    scratchAddress: number,
  ): void;
  readonly matmul_ternary_groups64_i8_plain: MatmulTernaryGroups;
  readonly matmul_ternary_groups64_i8_wide: MatmulTernaryGroups;
  readonly matmul_ternary_groups64_i8_narrow: MatmulTernaryGroups;
  readonly matmul_ternary_groups128_i8_plain: MatmulTernaryGroups;
  readonly matmul_ternary_groups128_i8_wide: MatmulTernaryGroups;
  readonly matmul_ternary_groups128_i8_narrow: MatmulTernaryGroups;
  readonly matmul_f32_f32: MatmulFloat;
  readonly matmul_bf16_f32: MatmulFloat;
  readonly matmul_f16_f32: MatmulFloat;
  matmul_i8_i14(
    weightsAddress: number,
    recordsAddress: number,
    cols: number,
    rowBegin: number,
    rowEnd: number,
    activationsAddress: number,
    scalesAddress: number,
    tokens: number,
    outputAddress: number,
    outputStride: number,
    scale: number,
    accumulate: number,
  ): void;
  readonly row_f32: EmbeddingRow;
  readonly row_bf16: EmbeddingRow;
  readonly row_f16: EmbeddingRow;
  row_ternary(weightsAddress: number, cols: number, row: number, scale: number, outputAddress: number): void;
  row_ternary_groups(
    weightsAddress: number,
    scalesAddress: number,
    groupSize: number,
    cols: number,
    row: number,
    scale: number,
    outputAddress: number,
  ): void;
  quantize_activations_i8(
    inputAddress: number,
    cols: number,
    tokens: number,
    inputStride: number,
    outputAddress: number,
    outputStride: number,
    recordsAddress: number,
  ): void;
  quantize_activations_groups(
    inputAddress: number,
    cols: number,
    groupSize: number,
    tokens: number,
    inputStride: number,
    outputAddress: number,
    recordsAddress: number,
  ): void;
  quantize_activations_i14(
    inputAddress: number,
    cols: number,
    tokens: number,
    inputStride: number,
    outputAddress: number,
    scalesAddress: number,
  ): void;
  rms_norm(
    inputAddress: number,
    cols: number,
    tokens: number,
    inputStride: number,
    weightsAddress: number,
    epsilon: number,
    outputAddress: number,
    outputStride: number,
  ): void;
  rope_frequencies(
    frequenciesAddress: number,
    dimensions: number,
    base: number,
    scale: number,
    factorsAddress: number,
    originalContext: number,
    betaFast: number,
    betaSlow: number,
    extrapolation: number,
  ): void;
  rope_magnitude(factor: number, logMultiplier: number): number;
  rope_table(
    tableAddress: number,
    positionBegin: number,
    positionEnd: number,
    dimensions: number,
    frequenciesAddress: number,
    magnitude: number,
  ): void;
  resize_heads(
    inputAddress: number,
    tokens: number,
    inputStride: number,
    headBegin: number,
    headEnd: number,
    headSize: number,
    parts: number,
    outputAddress: number,
    outputStride: number,
    toSize: number,
  ): void;
  readonly rope_halves: Rope;
  readonly rope_adjacent: Rope;
  store_heads_f16(
    inputAddress: number,
    tokens: number,
    inputStride: number,
    headBegin: number,
    headEnd: number,
    headSize: number,
    outputAddress: number,
    headStride: number,
    tokenStride: number,
  ): void;
  attention(
    queryAddress: number,
    queryStride: number,
    keysAddress: number,
    valuesAddress: number,
    headSize: number,
    heads: number,
    position: number,
    tokens: number,
    window: number,
    scale: number,
    scratchAddress: number,
    scratchPositions: number,
    outputAddress: number,
    outputStride: number,
  ): void;
  add_rows(
    rowsAddress: number,
    addendAddress: number,
    tokens: number,
    stride: number,
    addendStride: number,
    colBegin: number,
    colEnd: number,
  ): void;
  scale_rows(rowsAddress: number, tokens: number, stride: number, cols: number, factor: number): void;
  readonly gate_gelu: GatedActivation;
  readonly gate_relu2: GatedActivation;
  readonly gate_silu: GatedActivation;
  check_ternary(codesAddress: number, bytes: number): number;
  readonly pack_q1_0: PackBlocks;
  pack_q2_0(
    blocksAddress: number,
    rows: number,
    cols: number,
    groupSize: number,
    codesAddress: number,
    scalesAddress: number,
  ): number;
  readonly pack_tq1_0: PackBlocks;
  readonly pack_tq2_0: PackBlocks;
  pack_f16(fromAddress: number, toAddress: number, count: number): number;
  pack_halves_i8(
    halvesAddress: number,
    cols: number,
    rowBegin: number,
    rowEnd: number,
    scratchAddress: number,
    outputAddress: number,
    recordsAddress: number,
    boundsAddress: number,
  ): number;
  widen_f16(fromAddress: number, toAddress: number, count: number): void;
  screen_rows(
    logitsAddress: number,
    boundsAddress: number,
    rowBegin: number,
    rowEnd: number,
    fromLost: number,
    fromSize: number,
    blocksAddress: number,
  ): void;
  softmax_totals(
    logitsAddress: number,
    cols: number,
    rows: number,
    logitsStride: number,
    outputAddress: number,
  ): void;
  sum_words(address: number, bytes: number): number;
  team_barrier(stateAddress: number, members: number, spins: number): number;
  team_break(stateAddress: number): void;
}

type MatmulTernary = (
  weightsAddress: number,
  cols: number,
  rowBegin: number,
  rowEnd: number,
  activationsAddress: number,
  activationStride: number,
  recordsAddress: number,
  tokens: number,
  outputAddress: number,
  outputStride: number,
  scratchAddress: number,
  scale: number,
  accumulate: number,
) => void;

type MatmulTernaryListed = (
  weightsAddress: number,
  cols: number,
  listAddress: number,
  listed: number,
  activationsAddress: number,
  recordAddress: number,
  outputAddress: number,
  scratchAddress: number,
  scale: number,
) => void;

export type MatmulTernaryGroups = (
  weightsAddress: number,
  scalesAddress: number,
  cols: number,
  rowBegin: number,
  rowEnd: number,
  activationsAddress: number,
  recordsAddress: number,
  tokens: number,
  outputAddress: number,
  outputStride: number,
  scratchAddress: number,
  scale: number,
  accumulate: number,
) => void;

type MatmulFloat = (
  weightsAddress: number,
  cols: number,
  rowBegin: number,
  rowEnd: number,
  inputAddress: number,
  inputStride: number,
  tokens: number,
  outputAddress: number,
  outputStride: number,
  scale: number,
  accumulate: number,
) => void;

export type PackBlocks = (
  blocksAddress: number,
  rows: number,
  cols: number,
  codesAddress: number,
  scalesAddress: number,
) => number;

type EmbeddingRow = (weightsAddress: number, cols: number, row: number, outputAddress: number) => void;

type Rope = (
  inputAddress: number,
  tokens: number,
  inputStride: number,
  headBegin: number,
  headEnd: number,
  headSize: number,
  tableAddress: number,
  dimensions: number,
  outputAddress: number,
  headStride: number,
  tokenStride: number,
) => void;

type GatedActivation = (
  gateAddress: number,
  upAddress: number,
  tokens: number,
  stride: number,
  colBegin: number,
  colEnd: number,
) => void;

/** Bytes of scratch that a call of the ternary product wants for its own. */
export const ternaryScratchBytes = 256;

/** Bytes of scratch for transpose_ternary. */
export const transposeScratchBytes = 4608;
/** The same for the product in groups. */
export const groupScratchBytes = 6144;

/** Bytes of scratch that suffice for any ternary matmul. */
export const matmulScratchBytes: number = Math.max(ternaryScratchBytes, groupScratchBytes);

/** Bytes of scratch that a call of attention wants for its own. */
export function attentionScratchBytes(headSize: number, scratchPositions: number): number {
  return 512 + 4 * (headSize + scratchPositions) * 4;
}

/** Scores that attention's scratch must have room for: whole steps of eight. */
export function attentionPositions(positions: number): number {
  return Math.ceil(positions / 8) * 8;
}

/** Weights that may share a scale in ternary groups. */
export type GroupSize = 64 | 128;
