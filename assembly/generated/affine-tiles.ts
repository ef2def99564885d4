// Made by scripts/tiles.mjs. Do not edit.

import { addGroup, addSteps, firstSum, floatBias, nibbleMask, start, total, widened } from "../tiles/affine";

/** 1 × 8 rows × 4 tokens of codes: results × scale to out, [panel][token][8]. */
// @ts-ignore: decorator
@inline
export function codes1x4<F>(
  group: usize,
  minima: bool,
  shift: i32,
  w0: usize,
  wStride: usize,
  cols: usize,
  x0: usize,
  toRecords: usize,
  out: usize,
  scale: f32,
): void {
  const bias = floatBias();
  let x1 = x0 + cols; let x2 = x1 + cols; let x3 = x2 + cols;
  let y00a = f32x4.splat(0), y00b = f32x4.splat(0);
  let y01a = f32x4.splat(0), y01b = f32x4.splat(0);
  let y02a = f32x4.splat(0), y02b = f32x4.splat(0);
  let y03a = f32x4.splat(0), y03b = f32x4.splat(0);
  for (let column: usize = 0; column < cols; column += group) {
    const r0 = x0 + toRecords;
    const i0 = start(minima, group, shift, r0, bias);
    const r1 = x1 + toRecords;
    const i1 = start(minima, group, shift, r1, bias);
    const r2 = x2 + toRecords;
    const i2 = start(minima, group, shift, r2, bias);
    const r3 = x3 + toRecords;
    const i3 = start(minima, group, shift, r3, bias);
    let s00a = firstSum<F>(false, i0);
    let s00b = firstSum<F>(false, i0);
    let s01a = firstSum<F>(false, i1);
    let s01b = firstSum<F>(false, i1);
    let s02a = firstSum<F>(false, i2);
    let s02b = firstSum<F>(false, i2);
    let s03a = firstSum<F>(false, i3);
    let s03b = firstSum<F>(false, i3);
    for (let k: usize = 0; k < group; k += 8) {
      const a0 = v128.load(w0, 0), b0 = v128.load(w0, 16), c0 = v128.load(w0, 32), d0 = v128.load(w0, 48);
      const x0a = v128.load32_splat(x0), x0b = v128.load32_splat(x0, 4);
      s00a = addSteps<F>(false, s00a, x0a, x0b, a0, c0);
      s00b = addSteps<F>(false, s00b, x0a, x0b, b0, d0);
      const x1a = v128.load32_splat(x1), x1b = v128.load32_splat(x1, 4);
      s01a = addSteps<F>(false, s01a, x1a, x1b, a0, c0);
      s01b = addSteps<F>(false, s01b, x1a, x1b, b0, d0);
      const x2a = v128.load32_splat(x2), x2b = v128.load32_splat(x2, 4);
      s02a = addSteps<F>(false, s02a, x2a, x2b, a0, c0);
      s02b = addSteps<F>(false, s02b, x2a, x2b, b0, d0);
      const x3a = v128.load32_splat(x3), x3b = v128.load32_splat(x3, 4);
      s03a = addSteps<F>(false, s03a, x3a, x3b, a0, c0);
      s03b = addSteps<F>(false, s03b, x3a, x3b, b0, d0);
      w0 += 64; x0 += 8; x1 += 8; x2 += 8; x3 += 8;
    }
    const ca0 = v128.load(w0), cb0 = v128.load(w0, 16);
    const d0 = v128.load32_splat(r0);
    const d1 = v128.load32_splat(r1);
    const d2 = v128.load32_splat(r2);
    const d3 = v128.load32_splat(r3);
    y00a = addGroup(y00a, ca0, d0, f32x4.sub(total<F>(false, s00a, i0), bias));
    y00b = addGroup(y00b, cb0, d0, f32x4.sub(total<F>(false, s00b, i0), bias));
    y01a = addGroup(y01a, ca0, d1, f32x4.sub(total<F>(false, s01a, i1), bias));
    y01b = addGroup(y01b, cb0, d1, f32x4.sub(total<F>(false, s01b, i1), bias));
    y02a = addGroup(y02a, ca0, d2, f32x4.sub(total<F>(false, s02a, i2), bias));
    y02b = addGroup(y02b, cb0, d2, f32x4.sub(total<F>(false, s02b, i2), bias));
    y03a = addGroup(y03a, ca0, d3, f32x4.sub(total<F>(false, s03a, i3), bias));
    y03b = addGroup(y03b, cb0, d3, f32x4.sub(total<F>(false, s03b, i3), bias));
    if (minima) {
      const ma0 = v128.load(w0, 32), mb0 = v128.load(w0, 48);
      const e0 = v128.load32_splat(r0 + (group === 32 ? 12 : 4));
      const e1 = v128.load32_splat(r1 + (group === 32 ? 12 : 4));
      const e2 = v128.load32_splat(r2 + (group === 32 ? 12 : 4));
      const e3 = v128.load32_splat(r3 + (group === 32 ? 12 : 4));
      y00a = f32x4.sub(y00a, f32x4.mul(ma0, e0));
      y00b = f32x4.sub(y00b, f32x4.mul(mb0, e0));
      y01a = f32x4.sub(y01a, f32x4.mul(ma0, e1));
      y01b = f32x4.sub(y01b, f32x4.mul(mb0, e1));
      y02a = f32x4.sub(y02a, f32x4.mul(ma0, e2));
      y02b = f32x4.sub(y02b, f32x4.mul(mb0, e2));
      y03a = f32x4.sub(y03a, f32x4.mul(ma0, e3));
      y03b = f32x4.sub(y03b, f32x4.mul(mb0, e3));
    }
    w0 += minima ? 64 : 32;
  }
  const scale4 = f32x4.splat(scale);
  v128.store(out, f32x4.mul(y00a, scale4), 0);
  v128.store(out, f32x4.mul(y00b, scale4), 16);
  v128.store(out, f32x4.mul(y01a, scale4), 32);
  v128.store(out, f32x4.mul(y01b, scale4), 48);
  v128.store(out, f32x4.mul(y02a, scale4), 64);
  v128.store(out, f32x4.mul(y02b, scale4), 80);
  v128.store(out, f32x4.mul(y03a, scale4), 96);
  v128.store(out, f32x4.mul(y03b, scale4), 112);
}

/** 4 × 8 rows × 1 tokens of codes: results × scale to out, [panel][token][8]. */
// @ts-ignore: decorator
@inline
export function codes4x1<F>(
  group: usize,
  minima: bool,
  shift: i32,
  w0: usize,
  wStride: usize,
  cols: usize,
  x0: usize,
  toRecords: usize,
  out: usize,
  scale: f32,
): void {
  const bias = floatBias();
  let w1 = w0 + wStride; let w2 = w1 + wStride; let w3 = w2 + wStride;
  let y00a = f32x4.splat(0), y00b = f32x4.splat(0);
  let y10a = f32x4.splat(0), y10b = f32x4.splat(0);
  let y20a = f32x4.splat(0), y20b = f32x4.splat(0);
  let y30a = f32x4.splat(0), y30b = f32x4.splat(0);
  for (let column: usize = 0; column < cols; column += group) {
    const r0 = x0 + toRecords;
    const i0 = start(minima, group, shift, r0, bias);
    let s00a = firstSum<F>(false, i0);
    let s00b = firstSum<F>(false, i0);
    let s10a = firstSum<F>(false, i0);
    let s10b = firstSum<F>(false, i0);
    let s20a = firstSum<F>(false, i0);
    let s20b = firstSum<F>(false, i0);
    let s30a = firstSum<F>(false, i0);
    let s30b = firstSum<F>(false, i0);
    for (let k: usize = 0; k < group; k += 8) {
      const x0a = v128.load32_splat(x0), x0b = v128.load32_splat(x0, 4);
      const a0 = v128.load(w0, 0), b0 = v128.load(w0, 16), c0 = v128.load(w0, 32), d0 = v128.load(w0, 48);
      s00a = addSteps<F>(false, s00a, x0a, x0b, a0, c0);
      s00b = addSteps<F>(false, s00b, x0a, x0b, b0, d0);
      const a1 = v128.load(w1, 0), b1 = v128.load(w1, 16), c1 = v128.load(w1, 32), d1 = v128.load(w1, 48);
      s10a = addSteps<F>(false, s10a, x0a, x0b, a1, c1);
      s10b = addSteps<F>(false, s10b, x0a, x0b, b1, d1);
      const a2 = v128.load(w2, 0), b2 = v128.load(w2, 16), c2 = v128.load(w2, 32), d2 = v128.load(w2, 48);
      s20a = addSteps<F>(false, s20a, x0a, x0b, a2, c2);
      s20b = addSteps<F>(false, s20b, x0a, x0b, b2, d2);
      const a3 = v128.load(w3, 0), b3 = v128.load(w3, 16), c3 = v128.load(w3, 32), d3 = v128.load(w3, 48);
      s30a = addSteps<F>(false, s30a, x0a, x0b, a3, c3);
      s30b = addSteps<F>(false, s30b, x0a, x0b, b3, d3);
      w0 += 64; w1 += 64; w2 += 64; w3 += 64; x0 += 8;
    }
    const ca0 = v128.load(w0), cb0 = v128.load(w0, 16);
    const ca1 = v128.load(w1), cb1 = v128.load(w1, 16);
    const ca2 = v128.load(w2), cb2 = v128.load(w2, 16);
    const ca3 = v128.load(w3), cb3 = v128.load(w3, 16);
    const d0 = v128.load32_splat(r0);
    y00a = addGroup(y00a, ca0, d0, f32x4.sub(total<F>(false, s00a, i0), bias));
    y00b = addGroup(y00b, cb0, d0, f32x4.sub(total<F>(false, s00b, i0), bias));
    y10a = addGroup(y10a, ca1, d0, f32x4.sub(total<F>(false, s10a, i0), bias));
    y10b = addGroup(y10b, cb1, d0, f32x4.sub(total<F>(false, s10b, i0), bias));
    y20a = addGroup(y20a, ca2, d0, f32x4.sub(total<F>(false, s20a, i0), bias));
    y20b = addGroup(y20b, cb2, d0, f32x4.sub(total<F>(false, s20b, i0), bias));
    y30a = addGroup(y30a, ca3, d0, f32x4.sub(total<F>(false, s30a, i0), bias));
    y30b = addGroup(y30b, cb3, d0, f32x4.sub(total<F>(false, s30b, i0), bias));
    if (minima) {
      const ma0 = v128.load(w0, 32), mb0 = v128.load(w0, 48);
      const ma1 = v128.load(w1, 32), mb1 = v128.load(w1, 48);
      const ma2 = v128.load(w2, 32), mb2 = v128.load(w2, 48);
      const ma3 = v128.load(w3, 32), mb3 = v128.load(w3, 48);
      const e0 = v128.load32_splat(r0 + (group === 32 ? 12 : 4));
      y00a = f32x4.sub(y00a, f32x4.mul(ma0, e0));
      y00b = f32x4.sub(y00b, f32x4.mul(mb0, e0));
      y10a = f32x4.sub(y10a, f32x4.mul(ma1, e0));
      y10b = f32x4.sub(y10b, f32x4.mul(mb1, e0));
      y20a = f32x4.sub(y20a, f32x4.mul(ma2, e0));
      y20b = f32x4.sub(y20b, f32x4.mul(mb2, e0));
      y30a = f32x4.sub(y30a, f32x4.mul(ma3, e0));
      y30b = f32x4.sub(y30b, f32x4.mul(mb3, e0));
    }
    w0 += minima ? 64 : 32; w1 += minima ? 64 : 32; w2 += minima ? 64 : 32; w3 += minima ? 64 : 32;
  }
  const scale4 = f32x4.splat(scale);
  v128.store(out, f32x4.mul(y00a, scale4), 0);
  v128.store(out, f32x4.mul(y00b, scale4), 16);
  v128.store(out, f32x4.mul(y10a, scale4), 32);
  v128.store(out, f32x4.mul(y10b, scale4), 48);
  v128.store(out, f32x4.mul(y20a, scale4), 64);
  v128.store(out, f32x4.mul(y20b, scale4), 80);
  v128.store(out, f32x4.mul(y30a, scale4), 96);
  v128.store(out, f32x4.mul(y30b, scale4), 112);
}

/** 1 × 8 rows × 1 tokens of codes: results × scale to out, [panel][token][8]. */
// @ts-ignore: decorator
@inline
export function codes1x1<F>(
  group: usize,
  minima: bool,
  shift: i32,
  w0: usize,
  wStride: usize,
  cols: usize,
  x0: usize,
  toRecords: usize,
  out: usize,
  scale: f32,
): void {
  const bias = floatBias();
  let y00a = f32x4.splat(0), y00b = f32x4.splat(0);
  for (let column: usize = 0; column < cols; column += group) {
    const r0 = x0 + toRecords;
    const i0 = start(minima, group, shift, r0, bias);
    let s00a = firstSum<F>(false, i0);
    let s00b = firstSum<F>(false, i0);
    for (let k: usize = 0; k < group; k += 8) {
      const a0 = v128.load(w0, 0), b0 = v128.load(w0, 16), c0 = v128.load(w0, 32), d0 = v128.load(w0, 48);
      const x0a = v128.load32_splat(x0), x0b = v128.load32_splat(x0, 4);
      s00a = addSteps<F>(false, s00a, x0a, x0b, a0, c0);
      s00b = addSteps<F>(false, s00b, x0a, x0b, b0, d0);
      w0 += 64; x0 += 8;
    }
    const ca0 = v128.load(w0), cb0 = v128.load(w0, 16);
    const d0 = v128.load32_splat(r0);
    y00a = addGroup(y00a, ca0, d0, f32x4.sub(total<F>(false, s00a, i0), bias));
    y00b = addGroup(y00b, cb0, d0, f32x4.sub(total<F>(false, s00b, i0), bias));
    if (minima) {
      const ma0 = v128.load(w0, 32), mb0 = v128.load(w0, 48);
      const e0 = v128.load32_splat(r0 + (group === 32 ? 12 : 4));
      y00a = f32x4.sub(y00a, f32x4.mul(ma0, e0));
      y00b = f32x4.sub(y00b, f32x4.mul(mb0, e0));
    }
    w0 += minima ? 64 : 32;
  }
  const scale4 = f32x4.splat(scale);
  v128.store(out, f32x4.mul(y00a, scale4), 0);
  v128.store(out, f32x4.mul(y00b, scale4), 16);
}

/** 1 × 8 rows × 4 tokens of nibbles: results × scale to out, [panel][token][8]. */
// @ts-ignore: decorator
@inline
export function nibbles1x4<F>(
  group: usize,
  minima: bool,
  shift: i32,
  w0: usize,
  wStride: usize,
  cols: usize,
  x0: usize,
  toRecords: usize,
  out: usize,
  scale: f32,
): void {
  const nibbles = nibbleMask();
  const bias = floatBias();
  let x1 = x0 + cols; let x2 = x1 + cols; let x3 = x2 + cols;
  let y00a = f32x4.splat(0), y00b = f32x4.splat(0);
  let y01a = f32x4.splat(0), y01b = f32x4.splat(0);
  let y02a = f32x4.splat(0), y02b = f32x4.splat(0);
  let y03a = f32x4.splat(0), y03b = f32x4.splat(0);
  for (let column: usize = 0; column < cols; column += group) {
    const r0 = x0 + toRecords;
    const i0 = start(minima, group, shift, r0, bias);
    const r1 = x1 + toRecords;
    const i1 = start(minima, group, shift, r1, bias);
    const r2 = x2 + toRecords;
    const i2 = start(minima, group, shift, r2, bias);
    const r3 = x3 + toRecords;
    const i3 = start(minima, group, shift, r3, bias);
    let s00a = firstSum<F>(true, i0);
    let s00b = firstSum<F>(true, i0);
    let s01a = firstSum<F>(true, i1);
    let s01b = firstSum<F>(true, i1);
    let s02a = firstSum<F>(true, i2);
    let s02b = firstSum<F>(true, i2);
    let s03a = firstSum<F>(true, i3);
    let s03b = firstSum<F>(true, i3);
    for (let k: usize = 0; k < group; k += 8) {
      const u0 = v128.load(w0, 0), v0 = v128.load(w0, 16);
      const a0 = v128.and(u0, nibbles), b0 = v128.and(v0, nibbles), c0 = v128.and(i16x8.shr_u(u0, 4), nibbles), d0 = v128.and(i16x8.shr_u(v0, 4), nibbles);
      const x0a = v128.load32_splat(x0), x0b = v128.load32_splat(x0, 4);
      s00a = addSteps<F>(true, s00a, x0a, x0b, a0, c0);
      s00b = addSteps<F>(true, s00b, x0a, x0b, b0, d0);
      const x1a = v128.load32_splat(x1), x1b = v128.load32_splat(x1, 4);
      s01a = addSteps<F>(true, s01a, x1a, x1b, a0, c0);
      s01b = addSteps<F>(true, s01b, x1a, x1b, b0, d0);
      const x2a = v128.load32_splat(x2), x2b = v128.load32_splat(x2, 4);
      s02a = addSteps<F>(true, s02a, x2a, x2b, a0, c0);
      s02b = addSteps<F>(true, s02b, x2a, x2b, b0, d0);
      const x3a = v128.load32_splat(x3), x3b = v128.load32_splat(x3, 4);
      s03a = addSteps<F>(true, s03a, x3a, x3b, a0, c0);
      s03b = addSteps<F>(true, s03b, x3a, x3b, b0, d0);
      w0 += 32; x0 += 8; x1 += 8; x2 += 8; x3 += 8;
    }
    const ca0 = v128.load(w0), cb0 = v128.load(w0, 16);
    const d0 = v128.load32_splat(r0);
    const d1 = v128.load32_splat(r1);
    const d2 = v128.load32_splat(r2);
    const d3 = v128.load32_splat(r3);
    y00a = addGroup(y00a, ca0, d0, f32x4.sub(total<F>(true, s00a, i0), bias));
    y00b = addGroup(y00b, cb0, d0, f32x4.sub(total<F>(true, s00b, i0), bias));
    y01a = addGroup(y01a, ca0, d1, f32x4.sub(total<F>(true, s01a, i1), bias));
    y01b = addGroup(y01b, cb0, d1, f32x4.sub(total<F>(true, s01b, i1), bias));
    y02a = addGroup(y02a, ca0, d2, f32x4.sub(total<F>(true, s02a, i2), bias));
    y02b = addGroup(y02b, cb0, d2, f32x4.sub(total<F>(true, s02b, i2), bias));
    y03a = addGroup(y03a, ca0, d3, f32x4.sub(total<F>(true, s03a, i3), bias));
    y03b = addGroup(y03b, cb0, d3, f32x4.sub(total<F>(true, s03b, i3), bias));
    if (minima) {
      const ma0 = v128.load(w0, 32), mb0 = v128.load(w0, 48);
      const e0 = v128.load32_splat(r0 + (group === 32 ? 12 : 4));
      const e1 = v128.load32_splat(r1 + (group === 32 ? 12 : 4));
      const e2 = v128.load32_splat(r2 + (group === 32 ? 12 : 4));
      const e3 = v128.load32_splat(r3 + (group === 32 ? 12 : 4));
      y00a = f32x4.sub(y00a, f32x4.mul(ma0, e0));
      y00b = f32x4.sub(y00b, f32x4.mul(mb0, e0));
      y01a = f32x4.sub(y01a, f32x4.mul(ma0, e1));
      y01b = f32x4.sub(y01b, f32x4.mul(mb0, e1));
      y02a = f32x4.sub(y02a, f32x4.mul(ma0, e2));
      y02b = f32x4.sub(y02b, f32x4.mul(mb0, e2));
      y03a = f32x4.sub(y03a, f32x4.mul(ma0, e3));
      y03b = f32x4.sub(y03b, f32x4.mul(mb0, e3));
    }
    w0 += minima ? 64 : 32;
  }
  const scale4 = f32x4.splat(scale);
  v128.store(out, f32x4.mul(y00a, scale4), 0);
  v128.store(out, f32x4.mul(y00b, scale4), 16);
  v128.store(out, f32x4.mul(y01a, scale4), 32);
  v128.store(out, f32x4.mul(y01b, scale4), 48);
  v128.store(out, f32x4.mul(y02a, scale4), 64);
  v128.store(out, f32x4.mul(y02b, scale4), 80);
  v128.store(out, f32x4.mul(y03a, scale4), 96);
  v128.store(out, f32x4.mul(y03b, scale4), 112);
}

/** 4 × 8 rows × 1 tokens of nibbles: results × scale to out, [panel][token][8]. */
// @ts-ignore: decorator
@inline
export function nibbles4x1<F>(
  group: usize,
  minima: bool,
  shift: i32,
  w0: usize,
  wStride: usize,
  cols: usize,
  x0: usize,
  toRecords: usize,
  out: usize,
  scale: f32,
): void {
  const nibbles = nibbleMask();
  const bias = floatBias();
  let w1 = w0 + wStride; let w2 = w1 + wStride; let w3 = w2 + wStride;
  let y00a = f32x4.splat(0), y00b = f32x4.splat(0);
  let y10a = f32x4.splat(0), y10b = f32x4.splat(0);
  let y20a = f32x4.splat(0), y20b = f32x4.splat(0);
  let y30a = f32x4.splat(0), y30b = f32x4.splat(0);
  for (let column: usize = 0; column < cols; column += group) {
    const r0 = x0 + toRecords;
    const i0 = start(minima, group, shift, r0, bias);
    let s00a = firstSum<F>(true, i0);
    let s00b = firstSum<F>(true, i0);
    let s10a = firstSum<F>(true, i0);
    let s10b = firstSum<F>(true, i0);
    let s20a = firstSum<F>(true, i0);
    let s20b = firstSum<F>(true, i0);
    let s30a = firstSum<F>(true, i0);
    let s30b = firstSum<F>(true, i0);
    for (let k: usize = 0; k < group; k += 8) {
      const x0a = v128.load32_splat(x0), x0b = v128.load32_splat(x0, 4);
      const u0 = v128.load(w0, 0), v0 = v128.load(w0, 16);
      const a0 = v128.and(u0, nibbles), b0 = v128.and(v0, nibbles), c0 = v128.and(i16x8.shr_u(u0, 4), nibbles), d0 = v128.and(i16x8.shr_u(v0, 4), nibbles);
      s00a = addSteps<F>(true, s00a, x0a, x0b, a0, c0);
      s00b = addSteps<F>(true, s00b, x0a, x0b, b0, d0);
      const u1 = v128.load(w1, 0), v1 = v128.load(w1, 16);
      const a1 = v128.and(u1, nibbles), b1 = v128.and(v1, nibbles), c1 = v128.and(i16x8.shr_u(u1, 4), nibbles), d1 = v128.and(i16x8.shr_u(v1, 4), nibbles);
      s10a = addSteps<F>(true, s10a, x0a, x0b, a1, c1);
      s10b = addSteps<F>(true, s10b, x0a, x0b, b1, d1);
      const u2 = v128.load(w2, 0), v2 = v128.load(w2, 16);
      const a2 = v128.and(u2, nibbles), b2 = v128.and(v2, nibbles), c2 = v128.and(i16x8.shr_u(u2, 4), nibbles), d2 = v128.and(i16x8.shr_u(v2, 4), nibbles);
      s20a = addSteps<F>(true, s20a, x0a, x0b, a2, c2);
      s20b = addSteps<F>(true, s20b, x0a, x0b, b2, d2);
      const u3 = v128.load(w3, 0), v3 = v128.load(w3, 16);
      const a3 = v128.and(u3, nibbles), b3 = v128.and(v3, nibbles), c3 = v128.and(i16x8.shr_u(u3, 4), nibbles), d3 = v128.and(i16x8.shr_u(v3, 4), nibbles);
      s30a = addSteps<F>(true, s30a, x0a, x0b, a3, c3);
      s30b = addSteps<F>(true, s30b, x0a, x0b, b3, d3);
      w0 += 32; w1 += 32; w2 += 32; w3 += 32; x0 += 8;
    }
    const ca0 = v128.load(w0), cb0 = v128.load(w0, 16);
    const ca1 = v128.load(w1), cb1 = v128.load(w1, 16);
    const ca2 = v128.load(w2), cb2 = v128.load(w2, 16);
    const ca3 = v128.load(w3), cb3 = v128.load(w3, 16);
    const d0 = v128.load32_splat(r0);
    y00a = addGroup(y00a, ca0, d0, f32x4.sub(total<F>(true, s00a, i0), bias));
    y00b = addGroup(y00b, cb0, d0, f32x4.sub(total<F>(true, s00b, i0), bias));
    y10a = addGroup(y10a, ca1, d0, f32x4.sub(total<F>(true, s10a, i0), bias));
    y10b = addGroup(y10b, cb1, d0, f32x4.sub(total<F>(true, s10b, i0), bias));
    y20a = addGroup(y20a, ca2, d0, f32x4.sub(total<F>(true, s20a, i0), bias));
    y20b = addGroup(y20b, cb2, d0, f32x4.sub(total<F>(true, s20b, i0), bias));
    y30a = addGroup(y30a, ca3, d0, f32x4.sub(total<F>(true, s30a, i0), bias));
    y30b = addGroup(y30b, cb3, d0, f32x4.sub(total<F>(true, s30b, i0), bias));
    if (minima) {
      const ma0 = v128.load(w0, 32), mb0 = v128.load(w0, 48);
      const ma1 = v128.load(w1, 32), mb1 = v128.load(w1, 48);
      const ma2 = v128.load(w2, 32), mb2 = v128.load(w2, 48);
      const ma3 = v128.load(w3, 32), mb3 = v128.load(w3, 48);
      const e0 = v128.load32_splat(r0 + (group === 32 ? 12 : 4));
      y00a = f32x4.sub(y00a, f32x4.mul(ma0, e0));
      y00b = f32x4.sub(y00b, f32x4.mul(mb0, e0));
      y10a = f32x4.sub(y10a, f32x4.mul(ma1, e0));
      y10b = f32x4.sub(y10b, f32x4.mul(mb1, e0));
      y20a = f32x4.sub(y20a, f32x4.mul(ma2, e0));
      y20b = f32x4.sub(y20b, f32x4.mul(mb2, e0));
      y30a = f32x4.sub(y30a, f32x4.mul(ma3, e0));
      y30b = f32x4.sub(y30b, f32x4.mul(mb3, e0));
    }
    w0 += minima ? 64 : 32; w1 += minima ? 64 : 32; w2 += minima ? 64 : 32; w3 += minima ? 64 : 32;
  }
  const scale4 = f32x4.splat(scale);
  v128.store(out, f32x4.mul(y00a, scale4), 0);
  v128.store(out, f32x4.mul(y00b, scale4), 16);
  v128.store(out, f32x4.mul(y10a, scale4), 32);
  v128.store(out, f32x4.mul(y10b, scale4), 48);
  v128.store(out, f32x4.mul(y20a, scale4), 64);
  v128.store(out, f32x4.mul(y20b, scale4), 80);
  v128.store(out, f32x4.mul(y30a, scale4), 96);
  v128.store(out, f32x4.mul(y30b, scale4), 112);
}

/** 1 × 8 rows × 1 tokens of nibbles: results × scale to out, [panel][token][8]. */
// @ts-ignore: decorator
@inline
export function nibbles1x1<F>(
  group: usize,
  minima: bool,
  shift: i32,
  w0: usize,
  wStride: usize,
  cols: usize,
  x0: usize,
  toRecords: usize,
  out: usize,
  scale: f32,
): void {
  const nibbles = nibbleMask();
  const bias = floatBias();
  let y00a = f32x4.splat(0), y00b = f32x4.splat(0);
  for (let column: usize = 0; column < cols; column += group) {
    const r0 = x0 + toRecords;
    const i0 = start(minima, group, shift, r0, bias);
    let s00a = firstSum<F>(true, i0);
    let s00b = firstSum<F>(true, i0);
    for (let k: usize = 0; k < group; k += 8) {
      const u0 = v128.load(w0, 0), v0 = v128.load(w0, 16);
      const a0 = v128.and(u0, nibbles), b0 = v128.and(v0, nibbles), c0 = v128.and(i16x8.shr_u(u0, 4), nibbles), d0 = v128.and(i16x8.shr_u(v0, 4), nibbles);
      const x0a = v128.load32_splat(x0), x0b = v128.load32_splat(x0, 4);
      s00a = addSteps<F>(true, s00a, x0a, x0b, a0, c0);
      s00b = addSteps<F>(true, s00b, x0a, x0b, b0, d0);
      w0 += 32; x0 += 8;
    }
    const ca0 = v128.load(w0), cb0 = v128.load(w0, 16);
    const d0 = v128.load32_splat(r0);
    y00a = addGroup(y00a, ca0, d0, f32x4.sub(total<F>(true, s00a, i0), bias));
    y00b = addGroup(y00b, cb0, d0, f32x4.sub(total<F>(true, s00b, i0), bias));
    if (minima) {
      const ma0 = v128.load(w0, 32), mb0 = v128.load(w0, 48);
      const e0 = v128.load32_splat(r0 + (group === 32 ? 12 : 4));
      y00a = f32x4.sub(y00a, f32x4.mul(ma0, e0));
      y00b = f32x4.sub(y00b, f32x4.mul(mb0, e0));
    }
    w0 += minima ? 64 : 32;
  }
  const scale4 = f32x4.splat(scale);
  v128.store(out, f32x4.mul(y00a, scale4), 0);
  v128.store(out, f32x4.mul(y00b, scale4), 16);
}

/** 1 × 8 rows × 4 tokens of bytes: results × scale to out, [panel][token][8]. */
// @ts-ignore: decorator
@inline
export function bytes1x4<F>(
  group: usize,
  minima: bool,
  shift: i32,
  w0: usize,
  wStride: usize,
  cols: usize,
  x0: usize,
  toRecords: usize,
  out: usize,
  scale: f32,
): void {
  const nibbles = nibbleMask();
  const bias = floatBias();
  let x1 = x0 + cols; let x2 = x1 + cols; let x3 = x2 + cols;
  let y00a = f32x4.splat(0), y00b = f32x4.splat(0);
  let y01a = f32x4.splat(0), y01b = f32x4.splat(0);
  let y02a = f32x4.splat(0), y02b = f32x4.splat(0);
  let y03a = f32x4.splat(0), y03b = f32x4.splat(0);
  for (let column: usize = 0; column < cols; column += group) {
    const r0 = x0 + toRecords;
    const i0 = start(minima, group, shift, r0, bias);
    const r1 = x1 + toRecords;
    const i1 = start(minima, group, shift, r1, bias);
    const r2 = x2 + toRecords;
    const i2 = start(minima, group, shift, r2, bias);
    const r3 = x3 + toRecords;
    const i3 = start(minima, group, shift, r3, bias);
    let s00a = i32x4.splat(0);
    let s00b = i32x4.splat(0);
    let s01a = i32x4.splat(0);
    let s01b = i32x4.splat(0);
    let s02a = i32x4.splat(0);
    let s02b = i32x4.splat(0);
    let s03a = i32x4.splat(0);
    let s03b = i32x4.splat(0);
    for (let k: usize = 0; k < group; k += 8) {
      const a0 = v128.and(i16x8.shr_u(v128.load(w0, 0), 4), nibbles), b0 = v128.and(i16x8.shr_u(v128.load(w0, 16), 4), nibbles), c0 = v128.and(i16x8.shr_u(v128.load(w0, 32), 4), nibbles), d0 = v128.and(i16x8.shr_u(v128.load(w0, 48), 4), nibbles);
      const x0a = v128.load32_splat(x0), x0b = v128.load32_splat(x0, 4);
      s00a = addSteps<F>(true, s00a, x0a, x0b, a0, c0);
      s00b = addSteps<F>(true, s00b, x0a, x0b, b0, d0);
      const x1a = v128.load32_splat(x1), x1b = v128.load32_splat(x1, 4);
      s01a = addSteps<F>(true, s01a, x1a, x1b, a0, c0);
      s01b = addSteps<F>(true, s01b, x1a, x1b, b0, d0);
      const x2a = v128.load32_splat(x2), x2b = v128.load32_splat(x2, 4);
      s02a = addSteps<F>(true, s02a, x2a, x2b, a0, c0);
      s02b = addSteps<F>(true, s02b, x2a, x2b, b0, d0);
      const x3a = v128.load32_splat(x3), x3b = v128.load32_splat(x3, 4);
      s03a = addSteps<F>(true, s03a, x3a, x3b, a0, c0);
      s03b = addSteps<F>(true, s03b, x3a, x3b, b0, d0);
      w0 += 64; x0 += 8; x1 += 8; x2 += 8; x3 += 8;
    }
    const z00a = i32x4.add(i32x4.shl(widened<F>(true, s00a), 4), i0);
    const z00b = i32x4.add(i32x4.shl(widened<F>(true, s00b), 4), i0);
    const z01a = i32x4.add(i32x4.shl(widened<F>(true, s01a), 4), i1);
    const z01b = i32x4.add(i32x4.shl(widened<F>(true, s01b), 4), i1);
    const z02a = i32x4.add(i32x4.shl(widened<F>(true, s02a), 4), i2);
    const z02b = i32x4.add(i32x4.shl(widened<F>(true, s02b), 4), i2);
    const z03a = i32x4.add(i32x4.shl(widened<F>(true, s03a), 4), i3);
    const z03b = i32x4.add(i32x4.shl(widened<F>(true, s03b), 4), i3);
    s00a = firstSum<F>(true, z00a);
    s00b = firstSum<F>(true, z00b);
    s01a = firstSum<F>(true, z01a);
    s01b = firstSum<F>(true, z01b);
    s02a = firstSum<F>(true, z02a);
    s02b = firstSum<F>(true, z02b);
    s03a = firstSum<F>(true, z03a);
    s03b = firstSum<F>(true, z03b);
    w0 -= group << 3; x0 -= group; x1 -= group; x2 -= group; x3 -= group;
    for (let k: usize = 0; k < group; k += 8) {
      const a0 = v128.and(v128.load(w0, 0), nibbles), b0 = v128.and(v128.load(w0, 16), nibbles), c0 = v128.and(v128.load(w0, 32), nibbles), d0 = v128.and(v128.load(w0, 48), nibbles);
      const x0a = v128.load32_splat(x0), x0b = v128.load32_splat(x0, 4);
      s00a = addSteps<F>(true, s00a, x0a, x0b, a0, c0);
      s00b = addSteps<F>(true, s00b, x0a, x0b, b0, d0);
      const x1a = v128.load32_splat(x1), x1b = v128.load32_splat(x1, 4);
      s01a = addSteps<F>(true, s01a, x1a, x1b, a0, c0);
      s01b = addSteps<F>(true, s01b, x1a, x1b, b0, d0);
      const x2a = v128.load32_splat(x2), x2b = v128.load32_splat(x2, 4);
      s02a = addSteps<F>(true, s02a, x2a, x2b, a0, c0);
      s02b = addSteps<F>(true, s02b, x2a, x2b, b0, d0);
      const x3a = v128.load32_splat(x3), x3b = v128.load32_splat(x3, 4);
      s03a = addSteps<F>(true, s03a, x3a, x3b, a0, c0);
      s03b = addSteps<F>(true, s03b, x3a, x3b, b0, d0);
      w0 += 64; x0 += 8; x1 += 8; x2 += 8; x3 += 8;
    }
    const ca0 = v128.load(w0), cb0 = v128.load(w0, 16);
    const d0 = v128.load32_splat(r0);
    const d1 = v128.load32_splat(r1);
    const d2 = v128.load32_splat(r2);
    const d3 = v128.load32_splat(r3);
    y00a = addGroup(y00a, ca0, d0, f32x4.sub(total<F>(true, s00a, z00a), bias));
    y00b = addGroup(y00b, cb0, d0, f32x4.sub(total<F>(true, s00b, z00b), bias));
    y01a = addGroup(y01a, ca0, d1, f32x4.sub(total<F>(true, s01a, z01a), bias));
    y01b = addGroup(y01b, cb0, d1, f32x4.sub(total<F>(true, s01b, z01b), bias));
    y02a = addGroup(y02a, ca0, d2, f32x4.sub(total<F>(true, s02a, z02a), bias));
    y02b = addGroup(y02b, cb0, d2, f32x4.sub(total<F>(true, s02b, z02b), bias));
    y03a = addGroup(y03a, ca0, d3, f32x4.sub(total<F>(true, s03a, z03a), bias));
    y03b = addGroup(y03b, cb0, d3, f32x4.sub(total<F>(true, s03b, z03b), bias));
    if (minima) {
      const ma0 = v128.load(w0, 32), mb0 = v128.load(w0, 48);
      const e0 = v128.load32_splat(r0 + (group === 32 ? 12 : 4));
      const e1 = v128.load32_splat(r1 + (group === 32 ? 12 : 4));
      const e2 = v128.load32_splat(r2 + (group === 32 ? 12 : 4));
      const e3 = v128.load32_splat(r3 + (group === 32 ? 12 : 4));
      y00a = f32x4.sub(y00a, f32x4.mul(ma0, e0));
      y00b = f32x4.sub(y00b, f32x4.mul(mb0, e0));
      y01a = f32x4.sub(y01a, f32x4.mul(ma0, e1));
      y01b = f32x4.sub(y01b, f32x4.mul(mb0, e1));
      y02a = f32x4.sub(y02a, f32x4.mul(ma0, e2));
      y02b = f32x4.sub(y02b, f32x4.mul(mb0, e2));
      y03a = f32x4.sub(y03a, f32x4.mul(ma0, e3));
      y03b = f32x4.sub(y03b, f32x4.mul(mb0, e3));
    }
    w0 += minima ? 64 : 32;
  }
  const scale4 = f32x4.splat(scale);
  v128.store(out, f32x4.mul(y00a, scale4), 0);
  v128.store(out, f32x4.mul(y00b, scale4), 16);
  v128.store(out, f32x4.mul(y01a, scale4), 32);
  v128.store(out, f32x4.mul(y01b, scale4), 48);
  v128.store(out, f32x4.mul(y02a, scale4), 64);
  v128.store(out, f32x4.mul(y02b, scale4), 80);
  v128.store(out, f32x4.mul(y03a, scale4), 96);
  v128.store(out, f32x4.mul(y03b, scale4), 112);
}

/** 4 × 8 rows × 1 tokens of bytes: results × scale to out, [panel][token][8]. */
// @ts-ignore: decorator
@inline
export function bytes4x1<F>(
  group: usize,
  minima: bool,
  shift: i32,
  w0: usize,
  wStride: usize,
  cols: usize,
  x0: usize,
  toRecords: usize,
  out: usize,
  scale: f32,
): void {
  const nibbles = nibbleMask();
  const bias = floatBias();
  let w1 = w0 + wStride; let w2 = w1 + wStride; let w3 = w2 + wStride;
  let y00a = f32x4.splat(0), y00b = f32x4.splat(0);
  let y10a = f32x4.splat(0), y10b = f32x4.splat(0);
  let y20a = f32x4.splat(0), y20b = f32x4.splat(0);
  let y30a = f32x4.splat(0), y30b = f32x4.splat(0);
  for (let column: usize = 0; column < cols; column += group) {
    const r0 = x0 + toRecords;
    const i0 = start(minima, group, shift, r0, bias);
    let s00a = i32x4.splat(0);
    let s00b = i32x4.splat(0);
    let s10a = i32x4.splat(0);
    let s10b = i32x4.splat(0);
    let s20a = i32x4.splat(0);
    let s20b = i32x4.splat(0);
    let s30a = i32x4.splat(0);
    let s30b = i32x4.splat(0);
    for (let k: usize = 0; k < group; k += 8) {
      const x0a = v128.load32_splat(x0), x0b = v128.load32_splat(x0, 4);
      const a0 = v128.and(i16x8.shr_u(v128.load(w0, 0), 4), nibbles), b0 = v128.and(i16x8.shr_u(v128.load(w0, 16), 4), nibbles), c0 = v128.and(i16x8.shr_u(v128.load(w0, 32), 4), nibbles), d0 = v128.and(i16x8.shr_u(v128.load(w0, 48), 4), nibbles);
      s00a = addSteps<F>(true, s00a, x0a, x0b, a0, c0);
      s00b = addSteps<F>(true, s00b, x0a, x0b, b0, d0);
      const a1 = v128.and(i16x8.shr_u(v128.load(w1, 0), 4), nibbles), b1 = v128.and(i16x8.shr_u(v128.load(w1, 16), 4), nibbles), c1 = v128.and(i16x8.shr_u(v128.load(w1, 32), 4), nibbles), d1 = v128.and(i16x8.shr_u(v128.load(w1, 48), 4), nibbles);
      s10a = addSteps<F>(true, s10a, x0a, x0b, a1, c1);
      s10b = addSteps<F>(true, s10b, x0a, x0b, b1, d1);
      const a2 = v128.and(i16x8.shr_u(v128.load(w2, 0), 4), nibbles), b2 = v128.and(i16x8.shr_u(v128.load(w2, 16), 4), nibbles), c2 = v128.and(i16x8.shr_u(v128.load(w2, 32), 4), nibbles), d2 = v128.and(i16x8.shr_u(v128.load(w2, 48), 4), nibbles);
      s20a = addSteps<F>(true, s20a, x0a, x0b, a2, c2);
      s20b = addSteps<F>(true, s20b, x0a, x0b, b2, d2);
      const a3 = v128.and(i16x8.shr_u(v128.load(w3, 0), 4), nibbles), b3 = v128.and(i16x8.shr_u(v128.load(w3, 16), 4), nibbles), c3 = v128.and(i16x8.shr_u(v128.load(w3, 32), 4), nibbles), d3 = v128.and(i16x8.shr_u(v128.load(w3, 48), 4), nibbles);
      s30a = addSteps<F>(true, s30a, x0a, x0b, a3, c3);
      s30b = addSteps<F>(true, s30b, x0a, x0b, b3, d3);
      w0 += 64; w1 += 64; w2 += 64; w3 += 64; x0 += 8;
    }
    const z00a = i32x4.add(i32x4.shl(widened<F>(true, s00a), 4), i0);
    const z00b = i32x4.add(i32x4.shl(widened<F>(true, s00b), 4), i0);
    const z10a = i32x4.add(i32x4.shl(widened<F>(true, s10a), 4), i0);
    const z10b = i32x4.add(i32x4.shl(widened<F>(true, s10b), 4), i0);
    const z20a = i32x4.add(i32x4.shl(widened<F>(true, s20a), 4), i0);
    const z20b = i32x4.add(i32x4.shl(widened<F>(true, s20b), 4), i0);
    const z30a = i32x4.add(i32x4.shl(widened<F>(true, s30a), 4), i0);
    const z30b = i32x4.add(i32x4.shl(widened<F>(true, s30b), 4), i0);
    s00a = firstSum<F>(true, z00a);
    s00b = firstSum<F>(true, z00b);
    s10a = firstSum<F>(true, z10a);
    s10b = firstSum<F>(true, z10b);
    s20a = firstSum<F>(true, z20a);
    s20b = firstSum<F>(true, z20b);
    s30a = firstSum<F>(true, z30a);
    s30b = firstSum<F>(true, z30b);
    w0 -= group << 3; w1 -= group << 3; w2 -= group << 3; w3 -= group << 3; x0 -= group;
    for (let k: usize = 0; k < group; k += 8) {
      const x0a = v128.load32_splat(x0), x0b = v128.load32_splat(x0, 4);
      const a0 = v128.and(v128.load(w0, 0), nibbles), b0 = v128.and(v128.load(w0, 16), nibbles), c0 = v128.and(v128.load(w0, 32), nibbles), d0 = v128.and(v128.load(w0, 48), nibbles);
      s00a = addSteps<F>(true, s00a, x0a, x0b, a0, c0);
      s00b = addSteps<F>(true, s00b, x0a, x0b, b0, d0);
      const a1 = v128.and(v128.load(w1, 0), nibbles), b1 = v128.and(v128.load(w1, 16), nibbles), c1 = v128.and(v128.load(w1, 32), nibbles), d1 = v128.and(v128.load(w1, 48), nibbles);
      s10a = addSteps<F>(true, s10a, x0a, x0b, a1, c1);
      s10b = addSteps<F>(true, s10b, x0a, x0b, b1, d1);
      const a2 = v128.and(v128.load(w2, 0), nibbles), b2 = v128.and(v128.load(w2, 16), nibbles), c2 = v128.and(v128.load(w2, 32), nibbles), d2 = v128.and(v128.load(w2, 48), nibbles);
      s20a = addSteps<F>(true, s20a, x0a, x0b, a2, c2);
      s20b = addSteps<F>(true, s20b, x0a, x0b, b2, d2);
      const a3 = v128.and(v128.load(w3, 0), nibbles), b3 = v128.and(v128.load(w3, 16), nibbles), c3 = v128.and(v128.load(w3, 32), nibbles), d3 = v128.and(v128.load(w3, 48), nibbles);
      s30a = addSteps<F>(true, s30a, x0a, x0b, a3, c3);
      s30b = addSteps<F>(true, s30b, x0a, x0b, b3, d3);
      w0 += 64; w1 += 64; w2 += 64; w3 += 64; x0 += 8;
    }
    const ca0 = v128.load(w0), cb0 = v128.load(w0, 16);
    const ca1 = v128.load(w1), cb1 = v128.load(w1, 16);
    const ca2 = v128.load(w2), cb2 = v128.load(w2, 16);
    const ca3 = v128.load(w3), cb3 = v128.load(w3, 16);
    const d0 = v128.load32_splat(r0);
    y00a = addGroup(y00a, ca0, d0, f32x4.sub(total<F>(true, s00a, z00a), bias));
    y00b = addGroup(y00b, cb0, d0, f32x4.sub(total<F>(true, s00b, z00b), bias));
    y10a = addGroup(y10a, ca1, d0, f32x4.sub(total<F>(true, s10a, z10a), bias));
    y10b = addGroup(y10b, cb1, d0, f32x4.sub(total<F>(true, s10b, z10b), bias));
    y20a = addGroup(y20a, ca2, d0, f32x4.sub(total<F>(true, s20a, z20a), bias));
    y20b = addGroup(y20b, cb2, d0, f32x4.sub(total<F>(true, s20b, z20b), bias));
    y30a = addGroup(y30a, ca3, d0, f32x4.sub(total<F>(true, s30a, z30a), bias));
    y30b = addGroup(y30b, cb3, d0, f32x4.sub(total<F>(true, s30b, z30b), bias));
    if (minima) {
      const ma0 = v128.load(w0, 32), mb0 = v128.load(w0, 48);
      const ma1 = v128.load(w1, 32), mb1 = v128.load(w1, 48);
      const ma2 = v128.load(w2, 32), mb2 = v128.load(w2, 48);
      const ma3 = v128.load(w3, 32), mb3 = v128.load(w3, 48);
      const e0 = v128.load32_splat(r0 + (group === 32 ? 12 : 4));
      y00a = f32x4.sub(y00a, f32x4.mul(ma0, e0));
      y00b = f32x4.sub(y00b, f32x4.mul(mb0, e0));
      y10a = f32x4.sub(y10a, f32x4.mul(ma1, e0));
      y10b = f32x4.sub(y10b, f32x4.mul(mb1, e0));
      y20a = f32x4.sub(y20a, f32x4.mul(ma2, e0));
      y20b = f32x4.sub(y20b, f32x4.mul(mb2, e0));
      y30a = f32x4.sub(y30a, f32x4.mul(ma3, e0));
      y30b = f32x4.sub(y30b, f32x4.mul(mb3, e0));
    }
    w0 += minima ? 64 : 32; w1 += minima ? 64 : 32; w2 += minima ? 64 : 32; w3 += minima ? 64 : 32;
  }
  const scale4 = f32x4.splat(scale);
  v128.store(out, f32x4.mul(y00a, scale4), 0);
  v128.store(out, f32x4.mul(y00b, scale4), 16);
  v128.store(out, f32x4.mul(y10a, scale4), 32);
  v128.store(out, f32x4.mul(y10b, scale4), 48);
  v128.store(out, f32x4.mul(y20a, scale4), 64);
  v128.store(out, f32x4.mul(y20b, scale4), 80);
  v128.store(out, f32x4.mul(y30a, scale4), 96);
  v128.store(out, f32x4.mul(y30b, scale4), 112);
}

/** 1 × 8 rows × 1 tokens of bytes: results × scale to out, [panel][token][8]. */
// @ts-ignore: decorator
@inline
export function bytes1x1<F>(
  group: usize,
  minima: bool,
  shift: i32,
  w0: usize,
  wStride: usize,
  cols: usize,
  x0: usize,
  toRecords: usize,
  out: usize,
  scale: f32,
): void {
  const nibbles = nibbleMask();
  const bias = floatBias();
  let y00a = f32x4.splat(0), y00b = f32x4.splat(0);
  for (let column: usize = 0; column < cols; column += group) {
    const r0 = x0 + toRecords;
    const i0 = start(minima, group, shift, r0, bias);
    let s00a = i32x4.splat(0);
    let s00b = i32x4.splat(0);
    for (let k: usize = 0; k < group; k += 8) {
      const a0 = v128.and(i16x8.shr_u(v128.load(w0, 0), 4), nibbles), b0 = v128.and(i16x8.shr_u(v128.load(w0, 16), 4), nibbles), c0 = v128.and(i16x8.shr_u(v128.load(w0, 32), 4), nibbles), d0 = v128.and(i16x8.shr_u(v128.load(w0, 48), 4), nibbles);
      const x0a = v128.load32_splat(x0), x0b = v128.load32_splat(x0, 4);
      s00a = addSteps<F>(true, s00a, x0a, x0b, a0, c0);
      s00b = addSteps<F>(true, s00b, x0a, x0b, b0, d0);
      w0 += 64; x0 += 8;
    }
    const z00a = i32x4.add(i32x4.shl(widened<F>(true, s00a), 4), i0);
    const z00b = i32x4.add(i32x4.shl(widened<F>(true, s00b), 4), i0);
    s00a = firstSum<F>(true, z00a);
    s00b = firstSum<F>(true, z00b);
    w0 -= group << 3; x0 -= group;
    for (let k: usize = 0; k < group; k += 8) {
      const a0 = v128.and(v128.load(w0, 0), nibbles), b0 = v128.and(v128.load(w0, 16), nibbles), c0 = v128.and(v128.load(w0, 32), nibbles), d0 = v128.and(v128.load(w0, 48), nibbles);
      const x0a = v128.load32_splat(x0), x0b = v128.load32_splat(x0, 4);
      s00a = addSteps<F>(true, s00a, x0a, x0b, a0, c0);
      s00b = addSteps<F>(true, s00b, x0a, x0b, b0, d0);
      w0 += 64; x0 += 8;
    }
    const ca0 = v128.load(w0), cb0 = v128.load(w0, 16);
    const d0 = v128.load32_splat(r0);
    y00a = addGroup(y00a, ca0, d0, f32x4.sub(total<F>(true, s00a, z00a), bias));
    y00b = addGroup(y00b, cb0, d0, f32x4.sub(total<F>(true, s00b, z00b), bias));
    if (minima) {
      const ma0 = v128.load(w0, 32), mb0 = v128.load(w0, 48);
      const e0 = v128.load32_splat(r0 + (group === 32 ? 12 : 4));
      y00a = f32x4.sub(y00a, f32x4.mul(ma0, e0));
      y00b = f32x4.sub(y00b, f32x4.mul(mb0, e0));
    }
    w0 += minima ? 64 : 32;
  }
  const scale4 = f32x4.splat(scale);
  v128.store(out, f32x4.mul(y00a, scale4), 0);
  v128.store(out, f32x4.mul(y00b, scale4), 16);
}
