/** Fills memory with values drawn from a table by 16 random bits each. */
export type TableFill = (target: Uint16Array, table: Uint16Array) => void;

/**
 * A generator of random bits (xoshiro128**, Blackman and Vigna 2018) behind a table: 16 bits choose 16 bits. Whatever
 * the table holds, two bytes of ternary codes or one half-precision number, filling costs the same: about a gigabyte per
 * second, so that a file is written as fast as the disk takes it.
 *
 * @param seed Any integer; the same seed and stream give the same values.
 * @param stream Tells apart the generators of one seed, such as one per tensor.
 */
export function createTableFill(seed: number, stream: number): TableFill {
  const next = splitMix32((seed ^ Math.imul(stream, 0x9e3779b9)) >>> 0, stream);
  let a = next();
  let b = next();
  let c = next();
  // All four zero is the one state that never leaves itself.
  let d = next() | 1;

  return (target, table) => {
    for (let index = 0; index < target.length; index += 2) {
      const multiplied = Math.imul(b, 5);
      const bits = Math.imul((multiplied << 7) | (multiplied >>> 25), 9);
      const shifted = b << 9;
      c ^= a;
      d ^= b;
      b ^= c;
      a ^= d;
      c ^= shifted;
      d = (d << 11) | (d >>> 21);
      target[index] = table[bits & 0xffff] as number;
      // At an odd length the last store falls outside, which typed arrays ignore.
      target[index + 1] = table[bits >>> 16] as number;
    }
  };
}

/** Spreads a seed over 32-bit states that look unrelated. */
function splitMix32(seed: number, stream: number): () => number {
  let state = (seed + Math.imul(stream, 0x85ebca6b)) | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = state ^ (state >>> 16);
    mixed = Math.imul(mixed, 0x21f0aaad);
    mixed ^= mixed >>> 15;
    mixed = Math.imul(mixed, 0x735a2d97);
    return mixed ^ (mixed >>> 15);
  };
}

/**
 * Two bytes of four ternary codes each, 0, 1 or 2 and never 3, by 16 bits. 65536 is no multiple of 3^8, but the table is
 * symmetric (complementing the index negates every weight), so that weights have mean zero exactly.
 */
export function ternaryCodeTable(): Uint16Array {
  const pairs = 3 ** 8;
  return Uint16Array.from({ length: 65_536 }, (_, index) => {
    let digits = Math.round((index * (pairs - 1)) / 65_535);
    let codes = 0;
    for (let position = 0; position < 8; position++) {
      codes |= (digits % 3) << (2 * position);
      digits = Math.floor(digits / 3);
    }
    return codes;
  });
}

/** Values spread evenly over −limit…limit, in a 16-bit encoding, by 16 bits. */
export function uniformTable(limit: number, encode: (value: number) => number): Uint16Array {
  return Uint16Array.from({ length: 65_536 }, (_, index) => encode(limit * ((2 * index + 1) / 65_536 - 1)));
}
