/**
 * A generator of random bits (xoshiro128**, Blackman and Vigna 2018), 16 at a time.
 *
 * @param seed any integer; the same seed and stream give the same bits
 * @param stream tells apart the generators of one seed, such as one per tensor
 * @returns a function that fills memory with the next bits
 */
export function createRandomFill(seed: number, stream: number): (target: Uint16Array) => void {
  const next = splitMix32((seed ^ Math.imul(stream, 0x9e3779b9)) >>> 0, stream);
  let a = next();
  let b = next();
  let c = next();
  // All zeros is the only state that never changes.
  let d = next() | 1;

  return (target) => {
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
      target[index] = bits & 0xffff;
      // With an odd length the last store is out of bounds, which typed arrays ignore.
      target[index + 1] = bits >>> 16;
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
