// How fast memory can be read: the lower bound of a token's time (docs/BENCHMARKS.md).

import { Address } from "../address";

/**
 * Σ of the 32-bit words, modulo 2³²: a sum reads every byte and does little else.
 *
 * Shapes    address [bytes / 4]
 * Types     little-endian words of 32 bits
 * Requires  bytes % 64 == 0
 * Range     any words
 * Exact     bit-identical in every build and split
 * Splits    by multiples of 64 bytes: add up the sums
 */
export function sum_words(address: Address, bytes: usize): i32 {
  // Four streams a quarter apart, as in the matmuls: one stream keeps too few cache misses in flight.
  const quarter = (bytes >> 8) << 6;
  const second = address + quarter;
  const third = second + quarter;
  const fourth = third + quarter;
  let a = i32x4.splat(0);
  let b = i32x4.splat(0);
  let c = i32x4.splat(0);
  let d = i32x4.splat(0);
  for (let at: usize = 0; at < quarter; at += 64) {
    a = i32x4.add(a, i32x4.add(v128.load(address + at), v128.load(address + at, 16)));
    b = i32x4.add(b, i32x4.add(v128.load(second + at), v128.load(second + at, 16)));
    c = i32x4.add(c, i32x4.add(v128.load(third + at), v128.load(third + at, 16)));
    d = i32x4.add(d, i32x4.add(v128.load(fourth + at), v128.load(fourth + at, 16)));
    a = i32x4.add(a, i32x4.add(v128.load(address + at, 32), v128.load(address + at, 48)));
    b = i32x4.add(b, i32x4.add(v128.load(second + at, 32), v128.load(second + at, 48)));
    c = i32x4.add(c, i32x4.add(v128.load(third + at, 32), v128.load(third + at, 48)));
    d = i32x4.add(d, i32x4.add(v128.load(fourth + at, 32), v128.load(fourth + at, 48)));
  }
  for (let at = address + 4 * quarter, end = address + bytes; at < end; at += 16)
    a = i32x4.add(a, v128.load(at));
  const sum = i32x4.add(i32x4.add(a, b), i32x4.add(c, d));
  return (
    i32x4.extract_lane(sum, 0) +
    i32x4.extract_lane(sum, 1) +
    i32x4.extract_lane(sum, 2) +
    i32x4.extract_lane(sum, 3)
  );
}
