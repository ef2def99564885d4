import type { Gate, ModelSizes, RopeDescription } from "../architectures/description.js";
import type { HeadScreen } from "../packing/screen.js";
import type { PackedMatrix, PackedVector } from "../packing/packed.js";
import type { Place } from "../wasm/memory.js";
import type { InputForm } from "../packing/input-forms.js";
import type { Sparsity } from "../graph/sparse-products.js";

/**
 * A loaded model: immutable, and plain data, so that every thread of the team gets the same copy. All weights are addresses
 * in the shared memories.
 */
export interface Model {
  readonly sizes: ModelSizes;
  readonly ropes: readonly RopeDescription[];
  readonly gate: Gate;
  readonly epsilon: number;
  readonly attentionScale: number;
  readonly embeddingScale: number;
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
  /** For each of `ropes` the cosines and sines of every position up to `contextLength`: a table in each region of its layers. */
  readonly ropeTables: readonly (readonly Place[])[];
  readonly sparsity: Sparsity;
  /** The forms of input that its matrices want. */
  readonly inputForms: ReadonlySet<InputForm>;
  /** Positions for which the tables were made: no session is longer. */
  readonly contextLength: number;
}

/** One block's weights, all in one region; what a model does not have is undefined. */
export interface Layer {
  readonly region: number;
  readonly attentionNorm: PackedVector;
  readonly query: Projection;
  readonly key: Projection;
  readonly value: Projection;
  /** Norms of each head. */
  readonly queryNorm: PackedVector | undefined;
  readonly keyNorm: PackedVector | undefined;
  /** Index into the model's `ropes` and `ropeTables`. */
  readonly rope: number;
  /** How many positions a token sees, its own the last. */
  readonly window: number | undefined;
  readonly output: Projection;
  readonly feedForwardNorm: PackedVector;
  readonly gate: Projection;
  readonly up: Projection;
  readonly down: Projection;
  /** `down` once more, by columns (assembly/kernels/sparse), where its zero inputs are to be left out. */
  readonly downColumns: Place | undefined;
}

/** A linear layer: outputNorm(W · inputNorm(x) + bias). */
export interface Projection {
  readonly matrix: PackedMatrix;
  readonly inputNorm: PackedVector | undefined;
  readonly bias: PackedVector | undefined;
  readonly outputNorm: PackedVector | undefined;
}

/** Every matrix that products are taken with. */
export function* matricesOf(
  layers: readonly Layer[],
  heads: readonly (PackedMatrix | undefined)[],
): Iterable<PackedMatrix> {
  for (const { query, key, value, output, gate, up, down } of layers)
    yield* [query, key, value, output, gate, up, down].map(({ matrix }) => matrix);
  for (const head of heads) if (head !== undefined) yield head;
}
