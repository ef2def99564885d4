import { layoutOf } from "../packing/layouts/index.js";
import type { PackedMatrix, PackedVector } from "../packing/packed.js";
import type { Location } from "../wasm/memory.js";
import { kvBytesPerToken } from "./cache-format.js";
import { type Layer, type Model, projectionsOf } from "./model.js";

/**
 * Bytes that the team reads from memory to generate one token. They bound the speed, since each weight is
 * used once.
 *
 * Activations and logits do not count, because they stay in caches. The token's row of the embedding and the
 * few rows of the file that a screened head scores do not count either: they are less than 0.1 %.
 */
export interface TokenBytes {
  /** Matrices and norms of all layers, and the norm after them. */
  readonly layers: number;
  /** The output head, or its screen. */
  readonly head: number;
  /** Keys and values of one attended position. */
  readonly kvCachePerPosition: number;
}

/** A range of wasm memory. */
export interface ByteRange extends Location {
  readonly bytes: number;
}

/** The weights that a generated token reads. */
export function weightRanges(model: Model): readonly ByteRange[] {
  return [...bodyRanges(model), ...headRanges(model)];
}

export function tokenBytes(model: Model): TokenBytes {
  return {
    layers: sumBytes(bodyRanges(model)),
    head: sumBytes(headRanges(model)),
    kvCachePerPosition: kvBytesPerToken(model.cacheType, model.sizes),
  };
}

function bodyRanges({ layers, outputNorm }: Model): readonly ByteRange[] {
  return [...layers.flatMap(layerRanges), vectorRange(outputNorm)];
}

function layerRanges(layer: Layer): readonly ByteRange[] {
  const projections = projectionsOf(layer);
  const { attentionNorm, feedForwardNorm, queryNorm, keyNorm } = layer;
  const vectors = [
    ...[attentionNorm, feedForwardNorm, queryNorm, keyNorm],
    ...projections.flatMap(({ inputNorm, bias, outputNorm }) => [inputNorm, bias, outputNorm]),
  ];
  return [
    ...projections.flatMap(({ matrix }) => matrixRanges(matrix)),
    ...vectors.flatMap((vector) => (vector === undefined ? [] : [vectorRange(vector)])),
  ];
}

function headRanges({ screen, head }: Model): readonly ByteRange[] {
  // Generation uses the screen if there is one.
  if (screen === undefined) return head === undefined ? [] : matrixRanges(head);
  const { matrix, boundsAddress } = screen;
  const bounds = { region: matrix.region, address: boundsAddress, bytes: matrix.rows * 8 };
  return [...matrixRanges(matrix), bounds];
}

function matrixRanges(matrix: PackedMatrix): readonly ByteRange[] {
  const { region, address, rows, cols, records } = matrix;
  const { weightBytes, recordBytes } = layoutOf(matrix);
  const weights = { region, address, bytes: rows * weightBytes(cols) };
  const bytes = rows * recordBytes(cols);
  return bytes === 0 ? [weights] : [weights, { region, address: records, bytes }];
}

function vectorRange({ region, address, length }: PackedVector): ByteRange {
  return { region, address, bytes: length * 4 };
}

function sumBytes(ranges: readonly ByteRange[]): number {
  return ranges.reduce((sum, { bytes }) => sum + bytes, 0);
}
