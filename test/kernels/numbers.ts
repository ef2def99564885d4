// Operands for kernel tests, the same on every run and host.

export interface Numbers {
  /** An integer from `min` to `max`, both included. */
  whole(min: number, max: number): number;
  /** f32 of both signs. The magnitude of most is between 0.01 and 10, and of some far smaller. */
  floats(count: number): Float32Array;
  /** −128 … 127. */
  bytes(count: number): Int8Array;
  /** −1, 0 and 1. */
  ternary(count: number): Int8Array;
  /** Bytes of any value. */
  noise(count: number): Uint8Array;
}

/** @param seed 1 … 2³¹ − 2 */
export function createNumbers(seed: number): Numbers {
  let state = seed;
  // Lehmer's generator is random enough for operands, and short.
  const next = (): number => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
  const whole = (min: number, max: number): number => min + Math.floor(next() * (max - min + 1));
  return {
    whole,
    floats: (count) =>
      Float32Array.from(
        { length: count },
        () => (next() - 0.5) * 2 ** (next() < 0.05 ? whole(-40, -10) : whole(-4, 4)),
      ),
    bytes: (count) => Int8Array.from({ length: count }, () => whole(-128, 127)),
    ternary: (count) => Int8Array.from({ length: count }, () => whole(-1, 1)),
    noise: (count) => Uint8Array.from({ length: count }, () => whole(0, 255)),
  };
}
