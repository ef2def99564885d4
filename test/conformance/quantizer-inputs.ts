/**
 * Values to quantize and blocks to decode, the same on every host. They come from integer arithmetic, and
 * from floats that only round to float32. test/golden/quantizers has a native engine's results for the same
 * inputs.
 */

const blockCount = 2048;

/** 24 random bits at a time, by Knuth's 64-bit linear congruential generator. */
function createBits(seed: number): () => number {
  let state = BigInt(seed);
  return () => {
    state = BigInt.asUintN(64, state * 6364136223846793005n + 1442695040888963407n);
    return Number(state >> 40n);
  };
}

/**
 * Blocks of 256 of many kinds: normal, uniform, sparse, of one sign, of few values, of mixed and of tiny
 * magnitude.
 */
export function floatInputs(): Float32Array {
  const bits = createBits(1);
  const even = (): number => bits() / 2 ** 23 - 1;
  const bell = (): number => even() + even() + even();
  const kinds: readonly ((index: number, scale: number) => number)[] = [
    (_, scale) => bell() * scale,
    (_, scale) => even() * scale,
    (_, scale) => (bits() % 16 === 0 ? bell() * scale : 0),
    (_, scale) => Math.abs(bell()) * scale,
    (_, scale) => -Math.abs(even()) * scale - scale / 4,
    (_, scale) => Math.round(bell() * 4) * scale,
    (_, scale) => (bits() % 2 === 0 ? scale : -scale),
    (index, scale) => bell() * scale * 2 ** -(Math.floor(index / 16) % 12),
    (index, scale) => (index === 77 ? 64 : 1) * bell() * scale,
    (_, scale) => scale,
    () => 0,
  ];
  return Float32Array.from({ length: blockCount * 256 }, (_, index) => {
    const block = Math.floor(index / 256);
    const kind = kinds[block % kinds.length];
    return kind?.(index % 256, 2 ** ((block % 37) - 30)) ?? 0;
  });
}

/** Blocks of `group` values: 0, d and −d, or only d and −d. */
export function ternaryInputs(group: number, zeros: boolean): Float32Array {
  const bits = createBits(2);
  let scale = 0;
  return Float32Array.from({ length: blockCount * 256 }, (_, index) => {
    // Most scales are not halves, so they round. One group in 64 is all zeros.
    if (index % group === 0) scale = (bits() % 64 === 0 ? 0 : bits() + 1) / 2 ** 30;
    return (zeros ? (bits() % 3) - 1 : bits() % 2 === 0 ? -1 : 1) * scale + 0;
  });
}

/** Random blocks with finite scales. Bytes 2i + 1 of `scalesAt` stay below the bytes of infinities. */
export function blockInputs(blockBytes: number, scalesAt: readonly number[], digits: number): Uint8Array {
  const bits = createBits(3);
  const bytes = new Uint8Array(blockCount * blockBytes);
  for (let index = 0; index < bytes.length; index += 1) {
    const byte = bits() >>> 16;
    const inBlock = index % blockBytes;
    const isHigh = scalesAt.some((at) => inBlock === at + 1);
    const isScale = isHigh || scalesAt.includes(inBlock);
    // With three digits, pairs of bits with the value 3 become 1.
    const codes = digits === 3 && !isScale ? byte & ~((byte & (byte >>> 1) & 0x55) << 1) : byte;
    bytes[index] = isHigh ? codes & 0xbb : codes;
  }
  return bytes;
}
