import type { ModelSizes, RopeDescription } from "../architectures/description.js";
import type { HeadScreen } from "../packing/screen.js";
import type { PackedMatrix, PackedVector } from "../packing/packed.js";
import type { Place } from "../wasm/memory.js";

/**
 * A loaded model: immutable, and plain data, so that every thread of the team gets the same copy. All weights are addresses
 * in the shared memories.
 */
export interface Model {
  readonly sizes: ModelSizes;
  readonly rope: RopeDescription;
  readonly gate: "relu2" | "silu";
  readonly epsilon: number;
  readonly attentionScale: number;
  /** Undefined while the output head is screened: the caller then fills the residual stream from rows of the file. */
  readonly embedding: PackedMatrix | undefined;
  /** Where rows of the embedding go. */
  readonly embeddingRegion: number;
  readonly layers: readonly Layer[];
  readonly outputNorm: PackedVector;
  /** The exact output head; undefined while only its screen is in memory. */
  readonly head: PackedMatrix | undefined;
  /** Where the output norm, the head and its screen lie. */
  readonly headRegion: number;
  readonly screen: HeadScreen | undefined;
  /** Cosines and sines of every position up to `contextLength`, one table in each region that holds layers. */
  readonly ropeTables: readonly Place[];
  /** Positions for which the tables were made: no session is longer. */
  readonly contextLength: number;
}

/** One block's weights, all in one region. Sub-norms are undefined where the architecture has none. */
export interface Layer {
  readonly region: number;
  readonly attentionNorm: PackedVector;
  readonly query: PackedMatrix;
  readonly key: PackedMatrix;
  readonly value: PackedMatrix;
  readonly attentionSubNorm: PackedVector | undefined;
  readonly output: PackedMatrix;
  readonly feedForwardNorm: PackedVector;
  readonly gate: PackedMatrix;
  readonly up: PackedMatrix;
  readonly feedForwardSubNorm: PackedVector | undefined;
  readonly down: PackedMatrix;
}

/** Every matrix that products are taken with. */
export function* matricesOf({ layers, head, screen }: Model): Iterable<PackedMatrix> {
  for (const { query, key, value, output, gate, up, down } of layers)
    yield* [query, key, value, output, gate, up, down];
  if (head !== undefined) yield head;
  if (screen !== undefined) yield screen.matrix;
}
