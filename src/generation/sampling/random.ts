/** A source of random numbers that is the same on every runtime for the same seed. */
export interface Random {
  /** @returns the next number: a multiple of 2^-53, at least 0 and below 1, all equally likely. */
  next(): number;
}

/**
 * xoshiro128** 1.1 by Blackman and Vigna (public domain), two of its 32-bit words to a number. Chosen because
 * it needs 32-bit integers only, which JavaScript multiplies exactly and fast, and passes the usual test
 * batteries.
 * @param seed a whole number from 0 to 2^53 − 1; each gives a sequence of its own.
 */
export function createRandom(seed: number): Random {
  // The low half of the seed can be had back from s0, and the high half from s1 and s0: no two seeds share a
  // state. Each word also depends on the ones before it, because the first number drawn is a function of s1
  // alone.
  let s0 = mix((seed >>> 0) + goldenRatio);
  let s1 = mix(Math.floor(seed / 2 ** 32) + s0 + 2 * goldenRatio);
  let s2 = mix(s1 + 3 * goldenRatio);
  let s3 = mix(s2 + 4 * goldenRatio) | 1;

  const nextWord = (): number => {
    const result = Math.imul(rotateLeft(Math.imul(s1, 5), 7), 9) >>> 0;
    const t = s1 << 9;
    s2 ^= s0;
    s3 ^= s1;
    s1 ^= s2;
    s0 ^= s3;
    s2 ^= t;
    s3 = rotateLeft(s3, 11);
    return result;
  };
  return {
    next(): number {
      const high = nextWord() >>> 5;
      const low = nextWord() >>> 6;
      return (high * 2 ** 26 + low) / 2 ** 53;
    },
  };
}

/** A seed from the host's cryptographic source, from 0 to 2^53 − 1. */
export function randomSeed(): number {
  const [high = 0, low = 0] = crypto.getRandomValues(new Uint32Array(2));
  return (high >>> 11) * 2 ** 32 + low;
}

const goldenRatio = 0x9e3779b9;

/** The finalizer of MurmurHash3: every bit depends on every other, and no two words have the same result. */
function mix(word: number): number {
  let mixed = word | 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}

function rotateLeft(word: number, count: number): number {
  return (word << count) | (word >>> (32 - count));
}
