import { layouts, type PackedMatrix, type PackedVector } from "../packing/packed.js";
import type { Place } from "../wasm/memory.js";
import { kvBytesPerToken } from "./context-length.js";
import type { Layer, Model, Projection } from "./model.js";

/**
 * What the team reads from memory to generate one token: what bounds its speed, since each weight is used once.
 *
 * Left out are activations and logits, which stay in caches, the token's row of the embedding, and the few rows of the file
 * that a screened head scores: together below a thousandth.
 */
export interface TokenBytes {
  /** Matrices and norms of all layers, and the norm after them. */
  readonly layers: number;
  /** The output head, or its screen. */
  readonly head: number;
  /** Keys and values, for each position that is attended to. */
  readonly kvCachePerPosition: number;
}

/** A stretch of wasm memory. */
export interface ByteRange extends Place {
  readonly bytes: number;
}

/** Where the weights lie that a generated token reads. */
export function weightRanges(model: Model): readonly ByteRange[] {
  return [...bodyRanges(model), ...headRanges(model)];
}

export function tokenBytes(model: Model): TokenBytes {
  return {
    layers: sumBytes(bodyRanges(model)),
    head: sumBytes(headRanges(model)),
    kvCachePerPosition: kvBytesPerToken(model.sizes),
  };
}

/** The linear layers of a block, in the order in which they are used. */
export function layerProjections(layer: Layer): readonly Projection[] {
  const { query, key, value, output, gate, up, down } = layer;
  return [query, key, value, output, gate, up, down];
}

function bodyRanges({ layers, outputNorm }: Model): readonly ByteRange[] {
  return [...layers.flatMap(layerRanges), vectorRange(outputNorm)];
}

function layerRanges(layer: Layer): readonly ByteRange[] {
  const projections = layerProjections(layer);
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
  // Generation goes by the screen wherever there is one.
  if (screen === undefined) return head === undefined ? [] : matrixRanges(head);
  const { matrix, boundsAddress } = screen;
  const bounds = { region: matrix.region, address: boundsAddress, bytes: matrix.rows * 8 };
  return [...matrixRanges(matrix), bounds];
}

function matrixRanges({ region, address, layout, rows, cols, records }: PackedMatrix): readonly ByteRange[] {
  const { weightBytes, recordBytes } = layouts[layout];
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
