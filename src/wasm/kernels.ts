import {
  affineScratchBytes,
  groupScratchBytes,
  type Kernels,
  lookupScratchBytes,
  ternaryScratchBytes,
} from "./generated/kernels.js";

// The type of the kernels comes from assembly/, with their contracts (scripts/kernel-signatures.mjs).
export { affineScratchBytes, groupScratchBytes, type Kernels, lookupScratchBytes, ternaryScratchBytes };

/** Packs blocks whose groups have one size. */
export type PackBlocks = Kernels["pack_tq2_0"];

/** Bytes of scratch for transpose_ternary. */
export const transposeScratchBytes = 4608;

/** Bytes of scratch that are enough for any matmul. */
export const matmulScratchBytes: number = Math.max(
  ternaryScratchBytes,
  groupScratchBytes,
  affineScratchBytes,
);

/** Bytes of scratch for a call of attention over a cache of any type. */
export function attentionScratchBytes(headSize: number, scratchPositions: number): number {
  return 1280 + 4 * (headSize + scratchPositions) * 4;
}

/** Positions that attention's scratch must have room for: whole blocks of 128. */
export function attentionPositions(positions: number): number {
  return Math.ceil(positions / 128) * 128;
}

/** Weights that may share a scale in ternary groups. */
export type GroupSize = 64 | 128;
