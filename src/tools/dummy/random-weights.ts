import { BitNetError } from "../../errors.js";
import type { WeightFormat } from "../../weight-formats/index.js";
import { createRandomFill } from "./random-fill.js";

/**
 * Random weights of a format and spread: encoded blocks to draw from, and the bytes after a tensor's blocks.
 */
export interface WeightPool {
  /** 16-bit words of a block. */
  readonly blockWords: number;
  /** The blocks one after another. Their number is a power of two. */
  readonly words: Uint16Array;
  readonly tail: Uint8Array;
}

/** Weights of a pool. More would take seconds to encode in the slowest formats, fewer would repeat sooner. */
const poolWeights = 2 ** 18;
/** 16 random bits choose among this many blocks. */
const maxBlocks = 2 ** 16;
/** A stream that no tensor uses. */
const poolStream = -1;
/** Blocks drawn per filling of random bits. */
const drawCount = 4096;

/**
 * Encodes random weights with mean zero and a given standard deviation. Ternary weights are −d, 0 and d with
 * equal probability, or −d and d if the format has no zero. Others are uniform.
 *
 * Tensors are drawn from these blocks. Encoding all weights would take hours; copying blocks is as fast as
 * the disk. The pool has the negative of each block, so the mean is zero.
 *
 * @throws BitNetError INVALID_ARGUMENT for a format that is only read.
 */
export function createWeightPool(format: WeightFormat, deviation: number, seed: number): WeightPool {
  const { encode, blockElements, tensorBytes } = format;
  if (encode === undefined) {
    throw new BitNetError("INVALID_ARGUMENT", `Cannot write ${format.name}: this type is only read`);
  }
  const blocks = Math.min(maxBlocks, poolWeights / blockElements);
  const bits = new Uint16Array((blocks * blockElements) / 2);
  createRandomFill(seed, poolStream)(bits);
  const values = new Float32Array(bits.length * 2);
  const valueOf = spread(format, deviation);
  bits.forEach((draw, index) => {
    const value = valueOf(draw);
    values[index] = value;
    values[index + bits.length] = 0 - value;
  });

  const bytes = encode(values);
  // I2_S has one scale for a tensor, after all the codes.
  const codeBytes = bytes.length - tensorBytes(0);
  return {
    blockWords: codeBytes / blocks / 2,
    words: new Uint16Array(bytes.buffer, bytes.byteOffset, codeBytes / 2),
    tail: bytes.subarray(codeBytes),
  };
}

/** A value from 16 random bits. */
function spread(format: WeightFormat, deviation: number): (draw: number) => number {
  if (format.name === "Q1_0") return (draw) => ((draw & 1) * 2 - 1) * deviation;
  // Two of three weights are ±d, so their standard deviation is d·√(2/3).
  if (format.ternary) return (draw) => ((draw % 3) - 1) * deviation * Math.sqrt(1.5);
  return (draw) => ((2 * draw + 1) / 65_536 - 1) * deviation * Math.sqrt(3);
}

/** Fills memory with whole blocks drawn from a pool. */
export function createPoolFill(
  seed: number,
  stream: number,
): (target: Uint16Array, pool: WeightPool) => void {
  const randomFill = createRandomFill(seed, stream);
  const draws = new Uint16Array(drawCount);
  let used = drawCount;

  return (target, { words, blockWords }) => {
    const mask = words.length / blockWords - 1;
    for (let at = 0; at < target.length; at += blockWords) {
      if (used === drawCount) {
        randomFill(draws);
        used = 0;
      }
      const from = ((draws[used] as number) & mask) * blockWords;
      used += 1;
      for (let word = 0; word < blockWords; word += 1) target[at + word] = words[from + word] as number;
    }
  };
}
