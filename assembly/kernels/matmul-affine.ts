// Integer codes with a scale and a minimum per group × int8 activations with a scale per 32 columns.
//
// Layouts "affine-…": panels of 8 rows. The last panel is padded with zeros. A panel holds its groups of 32
// or 16 columns one after another. A group is
//
//   codes    [group / 4][8 rows][4 columns] u8. Of four bits [group / 8][8 rows][4 columns]: columns
//            k … k + 3 in the low halves of bytes, columns k + 4 … k + 7 in the high halves
//   scales   [8 rows] f32
//   minima   [8 rows] f32, in the layouts with a minimum
//
//   layout             group   stored code       minima
//   affine-4-32        32      four, code + 8    no
//   affine-4-32-min    32      four              yes
//   affine-6-32        32      code + 32         no
//   affine-6-32-min    32      code              yes
//   affine-6-16        16      code + 32         no
//   affine-6-16-min    16      code              yes
//   affine-8-32        32      code + 128        no
//
// So a vector has four columns of four rows. A dot product with four activations leaves a whole row in each
// lane, and nothing is added across lanes: every build multiplies the same integers by the same float.

import { Address } from "../address";
import {
  bytes1x1,
  bytes1x4,
  bytes4x1,
  codes1x1,
  codes1x4,
  codes4x1,
  nibbles1x1,
  nibbles1x4,
  nibbles4x1,
} from "../generated/affine-tiles";

/** Tokens of a tile of one panel, and panels of a tile of one token. */
// @ts-ignore: decorator
@inline
const TOGETHER: usize = 4;

/** Writes a panel's results, [8] f32, to those of its rows that are in the range. y is a token's output. */
// @ts-ignore: decorator
@inline
function finish(
  results: usize,
  panel: usize,
  rowBegin: usize,
  rowEnd: usize,
  y: usize,
  accumulate: bool,
): void {
  const row = panel << 3;
  const to = y + (row << 2);
  if (row >= rowBegin && row + 8 <= rowEnd) {
    let a = v128.load(results);
    let b = v128.load(results, 16);
    if (accumulate) {
      a = f32x4.add(v128.load(to), a);
      b = f32x4.add(v128.load(to, 16), b);
    }
    v128.store(to, a);
    v128.store(to, b, 16);
    return;
  }
  const last = min(rowEnd, row + 8) - row;
  for (let i = max(rowBegin, row) - row; i < last; ++i) {
    const value = load<f32>(results + (i << 2));
    store<f32>(to + (i << 2), accumulate ? load<f32>(to + (i << 2)) + value : value);
  }
}

/** Bytes of activations that stay in the first-level cache beside as many bytes of records and a panel. */
// @ts-ignore: decorator
@inline
const CACHED_BYTES: usize = 16384;

/** All of [rowBegin, rowEnd) × tokens in form F; the contract is that of the exports. bits: 4, 6 or 8. */
// @ts-ignore: decorator
@inline
function matmul<F>(
  bits: i32,
  group: usize,
  minima: bool,
  weights: usize,
  cols: usize,
  rowBegin: usize,
  rowEnd: usize,
  activations: usize,
  records: usize,
  tokens: usize,
  y: usize,
  yStride: usize,
  scratch: usize,
  scale: f32,
  accumulate: bool,
): void {
  const panelBytes = (bits == 4 ? cols << 2 : cols << 3) + (cols / group) * (minima ? 64 : 32);
  const toRecords = records - activations;
  const shift = bits - 1;
  const begin = rowBegin >> 3;
  const end = (rowEnd + 7) >> 3;
  const whole = tokens & ~(TOGETHER - 1);
  const cached = max(TOGETHER, (CACHED_BYTES / max<usize>(cols, 1)) & ~(TOGETHER - 1));
  for (let first: usize = 0; first < whole; first += cached) {
    const last = min(whole, first + cached);
    for (let panel = begin; panel < end; ++panel) {
      const w = weights + panel * panelBytes;
      for (let t = first; t < last; t += TOGETHER) {
        const x = activations + t * cols;
        if (bits == 4) nibbles1x4<F>(group, minima, shift, w, 0, cols, x, toRecords, scratch, scale);
        else if (bits == 6) codes1x4<F>(group, minima, shift, w, 0, cols, x, toRecords, scratch, scale);
        else bytes1x4<F>(group, minima, shift, w, 0, cols, x, toRecords, scratch, scale);
        for (let i: usize = 0; i < TOGETHER; ++i)
          finish(scratch + (i << 5), panel, rowBegin, rowEnd, y + (t + i) * yStride, accumulate);
      }
    }
  }
  // One token at a time. The panels of a tile lie a quarter of the range apart, each a sequential stream.
  const quarter = (end - begin) / TOGETHER;
  const apart = quarter * panelBytes;
  for (let panel = begin; panel < begin + quarter; ++panel) {
    const w = weights + panel * panelBytes;
    for (let t = whole; t < tokens; ++t) {
      const x = activations + t * cols;
      if (bits == 4) nibbles4x1<F>(group, minima, shift, w, apart, cols, x, toRecords, scratch, scale);
      else if (bits == 6) codes4x1<F>(group, minima, shift, w, apart, cols, x, toRecords, scratch, scale);
      else bytes4x1<F>(group, minima, shift, w, apart, cols, x, toRecords, scratch, scale);
      for (let i: usize = 0; i < TOGETHER; ++i)
        finish(scratch + (i << 5), panel + i * quarter, rowBegin, rowEnd, y + t * yStride, accumulate);
    }
  }
  for (let panel = begin + TOGETHER * quarter; panel < end; ++panel) {
    const w = weights + panel * panelBytes;
    for (let t = whole; t < tokens; ++t) {
      const x = activations + t * cols;
      if (bits == 4) nibbles1x1<F>(group, minima, shift, w, 0, cols, x, toRecords, scratch, scale);
      else if (bits == 6) codes1x1<F>(group, minima, shift, w, 0, cols, x, toRecords, scratch, scale);
      else bytes1x1<F>(group, minima, shift, w, 0, cols, x, toRecords, scratch, scale);
      finish(scratch, panel, rowBegin, rowEnd, y + t * yStride, accumulate);
    }
  }
}

/**
 * y[t, r] (+)= d · Σ_g (c[r, g] · s[t, b]) · (Σₖ code[r, k] · X[t, k] in g)
 *                                                              for r in [rowBegin, rowEnd), t in [0, tokens)
 *
 * Shapes    W [rows, cols] · X [tokens, cols] · records [tokens] of cols bytes, with s of each block b of 32
 *           columns, as quantize_activations_blocks writes them · y [tokens, rows] every yStride bytes
 * Types     W affine-6-32 · c, s, y f32 · X i8 · d = scale · groups of 32
 * Requires  cols % 32 == 0 · W, X, records 16-byte aligned · scratch affineScratchBytes of the caller's own
 *           (src/wasm/kernels) · nothing else overlaps y
 * Range     codes −32…31
 * Exact     a group's sum is an exact integer, also as f32; then f32 in one order: c · s, times the sum,
 *           added up in order of g, times d. Bit-identical in every form, build and split, and to
 *           test/reference
 * Splits    by rows or tokens: any partition gives the same bytes. Rows in multiples of 8 are fastest
 */
export function matmul_affine6_32_i8_dot_i8(
  weights: Address,
  cols: usize,
  rowBegin: usize,
  rowEnd: usize,
  activations: Address,
  records: Address,
  tokens: usize,
  y: Address,
  yStride: usize,
  scratch: Address,
  scale: f32,
  accumulate: bool,
): void {
  // prettier-ignore
  matmul<i8>(6, 32, false, weights, cols, rowBegin, rowEnd, activations, records, tokens, y, yStride, scratch, scale, accumulate);
}

// From here on made by scripts/tiles.mjs.

/**
 * Contract as matmul_affine6_32_i8_dot_i8, but in form i16 of the dot product (simd/dot). Traps in the
 * simd128 build.
 */
export function matmul_affine6_32_i8_dot_i16(
  weights: Address,
  cols: usize,
  rowBegin: usize,
  rowEnd: usize,
  activations: Address,
  records: Address,
  tokens: usize,
  y: Address,
  yStride: usize,
  scratch: Address,
  scale: f32,
  accumulate: bool,
): void {
  if (!ASC_FEATURE_RELAXED_SIMD) unreachable();
  // prettier-ignore
  matmul<i16>(6, 32, false, weights, cols, rowBegin, rowEnd, activations, records, tokens, y, yStride, scratch, scale, accumulate);
}

/**
 * Contract as matmul_affine6_32_i8_dot_i8, but in form i32 of the dot product (simd/dot). Traps in the
 * simd128 build.
 */
export function matmul_affine6_32_i8_dot_i32(
  weights: Address,
  cols: usize,
  rowBegin: usize,
  rowEnd: usize,
  activations: Address,
  records: Address,
  tokens: usize,
  y: Address,
  yStride: usize,
  scratch: Address,
  scale: f32,
  accumulate: bool,
): void {
  if (!ASC_FEATURE_RELAXED_SIMD) unreachable();
  // prettier-ignore
  matmul<i32>(6, 32, false, weights, cols, rowBegin, rowEnd, activations, records, tokens, y, yStride, scratch, scale, accumulate);
}

/** Contract as matmul_affine6_32_i8_dot_i8, but W is affine-4-32, and codes are −8…7. */
export function matmul_affine4_32_i8_dot_i8(
  weights: Address,
  cols: usize,
  rowBegin: usize,
  rowEnd: usize,
  activations: Address,
  records: Address,
  tokens: usize,
  y: Address,
  yStride: usize,
  scratch: Address,
  scale: f32,
  accumulate: bool,
): void {
  // prettier-ignore
  matmul<i8>(4, 32, false, weights, cols, rowBegin, rowEnd, activations, records, tokens, y, yStride, scratch, scale, accumulate);
}

/**
 * Contract as matmul_affine6_32_i8_dot_i8, but W is affine-4-32, and codes are −8…7; in form i16 of the dot
 * product (simd/dot). Traps in the simd128 build.
 */
export function matmul_affine4_32_i8_dot_i16(
  weights: Address,
  cols: usize,
  rowBegin: usize,
  rowEnd: usize,
  activations: Address,
  records: Address,
  tokens: usize,
  y: Address,
  yStride: usize,
  scratch: Address,
  scale: f32,
  accumulate: bool,
): void {
  if (!ASC_FEATURE_RELAXED_SIMD) unreachable();
  // prettier-ignore
  matmul<i16>(4, 32, false, weights, cols, rowBegin, rowEnd, activations, records, tokens, y, yStride, scratch, scale, accumulate);
}

/**
 * Contract as matmul_affine6_32_i8_dot_i8, but W is affine-4-32, and codes are −8…7; in form i32 of the dot
 * product (simd/dot). Traps in the simd128 build.
 */
export function matmul_affine4_32_i8_dot_i32(
  weights: Address,
  cols: usize,
  rowBegin: usize,
  rowEnd: usize,
  activations: Address,
  records: Address,
  tokens: usize,
  y: Address,
  yStride: usize,
  scratch: Address,
  scale: f32,
  accumulate: bool,
): void {
  if (!ASC_FEATURE_RELAXED_SIMD) unreachable();
  // prettier-ignore
  matmul<i32>(4, 32, false, weights, cols, rowBegin, rowEnd, activations, records, tokens, y, yStride, scratch, scale, accumulate);
}

/**
 * Contract as matmul_affine6_32_i8_dot_i8, but W is affine-4-32-min, codes are 0…15, and each group
 * subtracts m[r, g] · (s · Σ X in g).
 */
export function matmul_affine4_32_min_i8_dot_i8(
  weights: Address,
  cols: usize,
  rowBegin: usize,
  rowEnd: usize,
  activations: Address,
  records: Address,
  tokens: usize,
  y: Address,
  yStride: usize,
  scratch: Address,
  scale: f32,
  accumulate: bool,
): void {
  // prettier-ignore
  matmul<i8>(4, 32, true, weights, cols, rowBegin, rowEnd, activations, records, tokens, y, yStride, scratch, scale, accumulate);
}

/**
 * Contract as matmul_affine6_32_i8_dot_i8, but W is affine-4-32-min, codes are 0…15, and each group
 * subtracts m[r, g] · (s · Σ X in g); in form i16 of the dot product (simd/dot). Traps in the simd128 build.
 */
export function matmul_affine4_32_min_i8_dot_i16(
  weights: Address,
  cols: usize,
  rowBegin: usize,
  rowEnd: usize,
  activations: Address,
  records: Address,
  tokens: usize,
  y: Address,
  yStride: usize,
  scratch: Address,
  scale: f32,
  accumulate: bool,
): void {
  if (!ASC_FEATURE_RELAXED_SIMD) unreachable();
  // prettier-ignore
  matmul<i16>(4, 32, true, weights, cols, rowBegin, rowEnd, activations, records, tokens, y, yStride, scratch, scale, accumulate);
}

/**
 * Contract as matmul_affine6_32_i8_dot_i8, but W is affine-4-32-min, codes are 0…15, and each group
 * subtracts m[r, g] · (s · Σ X in g); in form i32 of the dot product (simd/dot). Traps in the simd128 build.
 */
export function matmul_affine4_32_min_i8_dot_i32(
  weights: Address,
  cols: usize,
  rowBegin: usize,
  rowEnd: usize,
  activations: Address,
  records: Address,
  tokens: usize,
  y: Address,
  yStride: usize,
  scratch: Address,
  scale: f32,
  accumulate: bool,
): void {
  if (!ASC_FEATURE_RELAXED_SIMD) unreachable();
  // prettier-ignore
  matmul<i32>(4, 32, true, weights, cols, rowBegin, rowEnd, activations, records, tokens, y, yStride, scratch, scale, accumulate);
}

/**
 * Contract as matmul_affine6_32_i8_dot_i8, but W is affine-6-32-min, codes are 0…63, and each group
 * subtracts m[r, g] · (s · Σ X in g).
 */
export function matmul_affine6_32_min_i8_dot_i8(
  weights: Address,
  cols: usize,
  rowBegin: usize,
  rowEnd: usize,
  activations: Address,
  records: Address,
  tokens: usize,
  y: Address,
  yStride: usize,
  scratch: Address,
  scale: f32,
  accumulate: bool,
): void {
  // prettier-ignore
  matmul<i8>(6, 32, true, weights, cols, rowBegin, rowEnd, activations, records, tokens, y, yStride, scratch, scale, accumulate);
}

/**
 * Contract as matmul_affine6_32_i8_dot_i8, but W is affine-6-32-min, codes are 0…63, and each group
 * subtracts m[r, g] · (s · Σ X in g); in form i16 of the dot product (simd/dot). Traps in the simd128 build.
 */
export function matmul_affine6_32_min_i8_dot_i16(
  weights: Address,
  cols: usize,
  rowBegin: usize,
  rowEnd: usize,
  activations: Address,
  records: Address,
  tokens: usize,
  y: Address,
  yStride: usize,
  scratch: Address,
  scale: f32,
  accumulate: bool,
): void {
  if (!ASC_FEATURE_RELAXED_SIMD) unreachable();
  // prettier-ignore
  matmul<i16>(6, 32, true, weights, cols, rowBegin, rowEnd, activations, records, tokens, y, yStride, scratch, scale, accumulate);
}

/**
 * Contract as matmul_affine6_32_i8_dot_i8, but W is affine-6-32-min, codes are 0…63, and each group
 * subtracts m[r, g] · (s · Σ X in g); in form i32 of the dot product (simd/dot). Traps in the simd128 build.
 */
export function matmul_affine6_32_min_i8_dot_i32(
  weights: Address,
  cols: usize,
  rowBegin: usize,
  rowEnd: usize,
  activations: Address,
  records: Address,
  tokens: usize,
  y: Address,
  yStride: usize,
  scratch: Address,
  scale: f32,
  accumulate: bool,
): void {
  if (!ASC_FEATURE_RELAXED_SIMD) unreachable();
  // prettier-ignore
  matmul<i32>(6, 32, true, weights, cols, rowBegin, rowEnd, activations, records, tokens, y, yStride, scratch, scale, accumulate);
}

/** Contract as matmul_affine6_32_i8_dot_i8, but W is affine-6-16, and groups are of 16. */
export function matmul_affine6_16_i8_dot_i8(
  weights: Address,
  cols: usize,
  rowBegin: usize,
  rowEnd: usize,
  activations: Address,
  records: Address,
  tokens: usize,
  y: Address,
  yStride: usize,
  scratch: Address,
  scale: f32,
  accumulate: bool,
): void {
  // prettier-ignore
  matmul<i8>(6, 16, false, weights, cols, rowBegin, rowEnd, activations, records, tokens, y, yStride, scratch, scale, accumulate);
}

/**
 * Contract as matmul_affine6_32_i8_dot_i8, but W is affine-6-16, and groups are of 16; in form i16 of the
 * dot product (simd/dot). Traps in the simd128 build.
 */
export function matmul_affine6_16_i8_dot_i16(
  weights: Address,
  cols: usize,
  rowBegin: usize,
  rowEnd: usize,
  activations: Address,
  records: Address,
  tokens: usize,
  y: Address,
  yStride: usize,
  scratch: Address,
  scale: f32,
  accumulate: bool,
): void {
  if (!ASC_FEATURE_RELAXED_SIMD) unreachable();
  // prettier-ignore
  matmul<i16>(6, 16, false, weights, cols, rowBegin, rowEnd, activations, records, tokens, y, yStride, scratch, scale, accumulate);
}

/**
 * Contract as matmul_affine6_32_i8_dot_i8, but W is affine-6-16, and groups are of 16; in form i32 of the
 * dot product (simd/dot). Traps in the simd128 build.
 */
export function matmul_affine6_16_i8_dot_i32(
  weights: Address,
  cols: usize,
  rowBegin: usize,
  rowEnd: usize,
  activations: Address,
  records: Address,
  tokens: usize,
  y: Address,
  yStride: usize,
  scratch: Address,
  scale: f32,
  accumulate: bool,
): void {
  if (!ASC_FEATURE_RELAXED_SIMD) unreachable();
  // prettier-ignore
  matmul<i32>(6, 16, false, weights, cols, rowBegin, rowEnd, activations, records, tokens, y, yStride, scratch, scale, accumulate);
}

/**
 * Contract as matmul_affine6_32_i8_dot_i8, but W is affine-6-16-min, codes are 0…63, and each group
 * subtracts m[r, g] · (s · Σ X in g).
 */
export function matmul_affine6_16_min_i8_dot_i8(
  weights: Address,
  cols: usize,
  rowBegin: usize,
  rowEnd: usize,
  activations: Address,
  records: Address,
  tokens: usize,
  y: Address,
  yStride: usize,
  scratch: Address,
  scale: f32,
  accumulate: bool,
): void {
  // prettier-ignore
  matmul<i8>(6, 16, true, weights, cols, rowBegin, rowEnd, activations, records, tokens, y, yStride, scratch, scale, accumulate);
}

/**
 * Contract as matmul_affine6_32_i8_dot_i8, but W is affine-6-16-min, codes are 0…63, and each group
 * subtracts m[r, g] · (s · Σ X in g); in form i16 of the dot product (simd/dot). Traps in the simd128 build.
 */
export function matmul_affine6_16_min_i8_dot_i16(
  weights: Address,
  cols: usize,
  rowBegin: usize,
  rowEnd: usize,
  activations: Address,
  records: Address,
  tokens: usize,
  y: Address,
  yStride: usize,
  scratch: Address,
  scale: f32,
  accumulate: bool,
): void {
  if (!ASC_FEATURE_RELAXED_SIMD) unreachable();
  // prettier-ignore
  matmul<i16>(6, 16, true, weights, cols, rowBegin, rowEnd, activations, records, tokens, y, yStride, scratch, scale, accumulate);
}

/**
 * Contract as matmul_affine6_32_i8_dot_i8, but W is affine-6-16-min, codes are 0…63, and each group
 * subtracts m[r, g] · (s · Σ X in g); in form i32 of the dot product (simd/dot). Traps in the simd128 build.
 */
export function matmul_affine6_16_min_i8_dot_i32(
  weights: Address,
  cols: usize,
  rowBegin: usize,
  rowEnd: usize,
  activations: Address,
  records: Address,
  tokens: usize,
  y: Address,
  yStride: usize,
  scratch: Address,
  scale: f32,
  accumulate: bool,
): void {
  if (!ASC_FEATURE_RELAXED_SIMD) unreachable();
  // prettier-ignore
  matmul<i32>(6, 16, true, weights, cols, rowBegin, rowEnd, activations, records, tokens, y, yStride, scratch, scale, accumulate);
}

/** Contract as matmul_affine6_32_i8_dot_i8, but W is affine-8-32, and codes are −128…127. */
export function matmul_affine8_32_i8_dot_i8(
  weights: Address,
  cols: usize,
  rowBegin: usize,
  rowEnd: usize,
  activations: Address,
  records: Address,
  tokens: usize,
  y: Address,
  yStride: usize,
  scratch: Address,
  scale: f32,
  accumulate: bool,
): void {
  // prettier-ignore
  matmul<i8>(8, 32, false, weights, cols, rowBegin, rowEnd, activations, records, tokens, y, yStride, scratch, scale, accumulate);
}

/**
 * Contract as matmul_affine6_32_i8_dot_i8, but W is affine-8-32, and codes are −128…127; in form i16 of the
 * dot product (simd/dot). Traps in the simd128 build.
 */
export function matmul_affine8_32_i8_dot_i16(
  weights: Address,
  cols: usize,
  rowBegin: usize,
  rowEnd: usize,
  activations: Address,
  records: Address,
  tokens: usize,
  y: Address,
  yStride: usize,
  scratch: Address,
  scale: f32,
  accumulate: bool,
): void {
  if (!ASC_FEATURE_RELAXED_SIMD) unreachable();
  // prettier-ignore
  matmul<i16>(8, 32, false, weights, cols, rowBegin, rowEnd, activations, records, tokens, y, yStride, scratch, scale, accumulate);
}

/**
 * Contract as matmul_affine6_32_i8_dot_i8, but W is affine-8-32, and codes are −128…127; in form i32 of the
 * dot product (simd/dot). Traps in the simd128 build.
 */
export function matmul_affine8_32_i8_dot_i32(
  weights: Address,
  cols: usize,
  rowBegin: usize,
  rowEnd: usize,
  activations: Address,
  records: Address,
  tokens: usize,
  y: Address,
  yStride: usize,
  scratch: Address,
  scale: f32,
  accumulate: bool,
): void {
  if (!ASC_FEATURE_RELAXED_SIMD) unreachable();
  // prettier-ignore
  matmul<i32>(8, 32, false, weights, cols, rowBegin, rowEnd, activations, records, tokens, y, yStride, scratch, scale, accumulate);
}
