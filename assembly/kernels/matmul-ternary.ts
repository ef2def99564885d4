// Ternary rows × int8 activations: how ranges and lists of rows are walked in tiles (ternary-tiles, which has the layout).

import { BLOCK_COLS } from "../simd/dot";
import { RECORD_BYTES, row1x1, row1x4, rows2x4, rows4x1 } from "./ternary-tiles";

/** All of [rowBegin, rowEnd) × tokens in the given form; see the exports for the contract. */
// @ts-ignore: decorator
@inline
function matmul<F>(
  weights: usize,
  cols: usize,
  rowBegin: usize,
  rowEnd: usize,
  activations: usize,
  activationStride: usize,
  records: usize,
  tokens: usize,
  y: usize,
  yStride: usize,
  scratch: usize,
  scale: f32,
  accumulate: bool,
): void {
  const rowBytes = cols >> 2;
  const blocks = cols / BLOCK_COLS;
  let token: usize = 0;
  const rows = rowEnd - rowBegin;
  const first = weights + rowBegin * rowBytes;
  const out = y + (rowBegin << 2);

  // Four tokens at a time while there are four: rows outermost, so that weights are read once per tile of tokens.
  const grouped = tokens & ~3;
  if (grouped > 0) {
    const pairs = rows >> 1;
    for (let row: usize = 0; row < pairs; ++row) {
      for (let t: usize = 0; t < grouped; t += 4) {
        rows2x4<F>(
          first + row * rowBytes,
          pairs * rowBytes,
          blocks,
          activations + t * activationStride,
          activationStride,
          records + t * RECORD_BYTES,
          out + (row << 2) + t * yStride,
          pairs,
          yStride,
          scratch,
          scale,
          accumulate,
        );
      }
    }
    if (rows & 1) {
      for (let t: usize = 0; t < grouped; t += 4) {
        row1x4<F>(
          first + (rows - 1) * rowBytes,
          blocks,
          activations + t * activationStride,
          activationStride,
          records + t * RECORD_BYTES,
          out + ((rows - 1) << 2) + t * yStride,
          yStride,
          scratch,
          scale,
          accumulate,
        );
      }
    }
    token = grouped;
  }
  const quarter = rows >> 2;
  for (; token < tokens; ++token) {
    const x = activations + token * activationStride;
    const record = records + token * RECORD_BYTES;
    const to = out + token * yStride;
    for (let row: usize = 0; row < quarter; ++row) {
      const w = first + row * rowBytes;
      const at = to + (row << 2);
      rows4x1<F>(
        w,
        w + quarter * rowBytes,
        w + 2 * quarter * rowBytes,
        w + 3 * quarter * rowBytes,
        blocks,
        x,
        record,
        at,
        at + (quarter << 2),
        at + (quarter << 3),
        at + 12 * quarter,
        scratch,
        scale,
        accumulate,
      );
    }
    for (let row = quarter << 2; row < rows; ++row) {
      row1x1<F>(first + row * rowBytes, blocks, x, record, to + (row << 2), scratch, scale, accumulate);
    }
  }
}

/**
 * y[t, r] (+)= (Σₖ W[r, k] · X[t, k]) / s[t] · d              for r in [rowBegin, rowEnd), t in [0, tokens)
 *
 * Shapes    W [rows, cols] · X [tokens, cols] every activationStride bytes · y [tokens, rows] every yStride bytes
 * Types     W ternary-rows · X i8 · records {s: f32, Σₖ X[t, k]: i32} per token · y f32 · d = scale
 * Requires  cols % 128 == 0 · W, X 16-byte aligned · scratch 256 bytes of the caller's own · nothing else overlaps y
 * Range     codes 0…2 · cols ≤ 2²³, so |Σ| fits i32
 * Exact     Σ is bit-identical in every form, build and split, and to test/reference; the f32 steps are three roundings
 * Splits    by rows or tokens: any partition gives the same bytes
 */
export function matmul_ternary_i8_plain(
  weights: usize,
  cols: usize,
  rowBegin: usize,
  rowEnd: usize,
  activations: usize,
  activationStride: usize,
  records: usize,
  tokens: usize,
  y: usize,
  yStride: usize,
  scratch: usize,
  scale: f32,
  accumulate: bool,
): void {
  matmul<i8>(
    weights,
    cols,
    rowBegin,
    rowEnd,
    activations,
    activationStride,
    records,
    tokens,
    y,
    yStride,
    scratch,
    scale,
    accumulate,
  );
}

/** The same by the relaxed 32-bit dot product: fastest where an engine maps it to one instruction. Traps in the simd128 build. */
export function matmul_ternary_i8_wide(
  weights: usize,
  cols: usize,
  rowBegin: usize,
  rowEnd: usize,
  activations: usize,
  activationStride: usize,
  records: usize,
  tokens: usize,
  y: usize,
  yStride: usize,
  scratch: usize,
  scale: f32,
  accumulate: bool,
): void {
  if (!ASC_FEATURE_RELAXED_SIMD) unreachable();
  matmul<i32>(
    weights,
    cols,
    rowBegin,
    rowEnd,
    activations,
    activationStride,
    records,
    tokens,
    y,
    yStride,
    scratch,
    scale,
    accumulate,
  );
}

/** The same by the relaxed 16-bit dot product. Traps in the simd128 build. */
export function matmul_ternary_i8_narrow(
  weights: usize,
  cols: usize,
  rowBegin: usize,
  rowEnd: usize,
  activations: usize,
  activationStride: usize,
  records: usize,
  tokens: usize,
  y: usize,
  yStride: usize,
  scratch: usize,
  scale: f32,
  accumulate: bool,
): void {
  if (!ASC_FEATURE_RELAXED_SIMD) unreachable();
  matmul<i16>(
    weights,
    cols,
    rowBegin,
    rowEnd,
    activations,
    activationStride,
    records,
    tokens,
    y,
    yStride,
    scratch,
    scale,
    accumulate,
  );
}

/** One token and the rows of a list, four from far apart at a time. */
// @ts-ignore: decorator
@inline
function matmulListed<F>(
  weights: usize,
  cols: usize,
  list: usize,
  count: usize,
  x: usize,
  record: usize,
  y: usize,
  scratch: usize,
  scale: f32,
): void {
  const rowBytes = cols >> 2;
  const blocks = cols / BLOCK_COLS;
  const quarterBytes = (count >> 2) << 2;
  let at = list;
  for (const end = list + quarterBytes; at < end; at += 4) {
    const r0: usize = load<u32>(at);
    const r1: usize = load<u32>(at + quarterBytes);
    const r2: usize = load<u32>(at + 2 * quarterBytes);
    const r3: usize = load<u32>(at + 3 * quarterBytes);
    rows4x1<F>(
      weights + r0 * rowBytes,
      weights + r1 * rowBytes,
      weights + r2 * rowBytes,
      weights + r3 * rowBytes,
      blocks,
      x,
      record,
      y + (r0 << 2),
      y + (r1 << 2),
      y + (r2 << 2),
      y + (r3 << 2),
      scratch,
      scale,
      false,
    );
  }
  at = list + (quarterBytes << 2);
  for (const end = list + (count << 2); at < end; at += 4) {
    const row: usize = load<u32>(at);
    row1x1<F>(weights + row * rowBytes, blocks, x, record, y + (row << 2), scratch, scale, false);
  }
}

/**
 * y[r] = (Σₖ W[r, k] · x[k]) / s · d                            for the rows r of a list
 *
 * Types     list u32 [count], no row twice; the rest as matmul_ternary_i8_plain, whose bytes these are
 * Splits    by parts of the list
 */
export function matmul_ternary_listed_i8_plain(
  weights: usize,
  cols: usize,
  list: usize,
  count: usize,
  x: usize,
  record: usize,
  y: usize,
  scratch: usize,
  scale: f32,
): void {
  matmulListed<i8>(weights, cols, list, count, x, record, y, scratch, scale);
}

/** The same by the relaxed 32-bit dot product. Traps in the simd128 build. */
export function matmul_ternary_listed_i8_wide(
  weights: usize,
  cols: usize,
  list: usize,
  count: usize,
  x: usize,
  record: usize,
  y: usize,
  scratch: usize,
  scale: f32,
): void {
  if (!ASC_FEATURE_RELAXED_SIMD) unreachable();
  matmulListed<i32>(weights, cols, list, count, x, record, y, scratch, scale);
}

/** The same by the relaxed 16-bit dot product. Traps in the simd128 build. */
export function matmul_ternary_listed_i8_narrow(
  weights: usize,
  cols: usize,
  list: usize,
  count: usize,
  x: usize,
  record: usize,
  y: usize,
  scratch: usize,
  scale: f32,
): void {
  if (!ASC_FEATURE_RELAXED_SIMD) unreachable();
  matmulListed<i16>(weights, cols, list, count, x, record, y, scratch, scale);
}
