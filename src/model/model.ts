import type { Gate, ModelSizes, RopeDescription } from "../architectures/description.js";
import type { PackedMatrix, PackedVector } from "../packing/packed.js";
import type { HeadScreen } from "../packing/screen.js";
import type { Location } from "../wasm/memory.js";
import type { CacheType } from "../wasm/cache-types.js";

/** When matmuls skip zeros: where that is measured to be faster, always, or never. */
export type Sparsity = "auto" | "on" | "off";

/**
 * A loaded model: immutable plain data, so that every worker gets the same copy. All weights are addresses in
 * the shared memories.
 */
export interface Model {
  readonly sizes: ModelSizes;
  readonly ropes: readonly RopeDescription[];
  readonly gate: Gate;
  readonly epsilon: number;
  readonly attentionScale: number;
  readonly embeddingScale: number;
  /**
   * [vocabulary, width]. Undefined while the output head is screened: the caller then reads rows from the
   * file.
   */
  readonly embedding: PackedMatrix | undefined;
  /** Region of the residual stream that embedding rows are written to. */
  readonly embeddingRegion: number;
  readonly layers: readonly Layer[];
  /** [width] */
  readonly outputNorm: PackedVector;
  /** The exact output head [vocabulary, width]. Undefined while only its screen is in memory. */
  readonly head: PackedMatrix | undefined;
  /** Region of the output norm, the head and its screen. */
  readonly headRegion: number;
  readonly screen: HeadScreen | undefined;
  /**
   * Cosines and sines of positions below `contextLength` (packing/rope-table): for each of `ropes` a table in
   * each region of its layers. The engine fills them before the first pass that needs a position.
   */
  readonly ropeTables: readonly (readonly Location[])[];
  readonly sparsity: Sparsity;
  /** Positions that the tables have: the maximum context of a session. */
  readonly contextLength: number;
  /** How sessions keep keys and values. */
  readonly cacheType: CacheType;
}

/** The projections of a block by name, in order of use. */
export const projectionNames = ["query", "key", "value", "output", "gate", "up", "down"] as const;
export type ProjectionName = (typeof projectionNames)[number];

/** The projections of a block. */
export type LayerProjections<P> = Readonly<Record<ProjectionName, P>>;

/** One block's weights, all in one region; undefined for parts that a model does not have. */
export interface Layer extends LayerProjections<Projection> {
  readonly region: number;
  /** [width] */
  readonly attentionNorm: PackedVector;
  /** Norm of each head of queries [headSize]. */
  readonly queryNorm: PackedVector | undefined;
  /** Norm of each head of keys [headSize]. */
  readonly keyNorm: PackedVector | undefined;
  /** Index into the model's `ropes` and `ropeTables`. */
  readonly rope: number;
  /** Positions that a token attends to, its own the last. Undefined for all up to its own. */
  readonly window: number | undefined;
  /** [width] */
  readonly feedForwardNorm: PackedVector;
  /** A copy of `down` by columns, for skipping zero inputs. */
  readonly downColumns: Location | undefined;
}

/** A linear layer: outputNorm(W · inputNorm(x) + bias). */
export interface Projection {
  readonly matrix: PackedMatrix;
  readonly inputNorm: PackedVector | undefined;
  readonly bias: PackedVector | undefined;
  readonly outputNorm: PackedVector | undefined;
}

/** The projections of a block as a list, in order of use. */
export function projectionsOf<P>(layer: LayerProjections<P>): readonly P[] {
  return projectionNames.map((name) => layer[name]);
}

/** Every matrix of a model's matmuls, with the head or its screen or both. */
export function matricesOf({ layers, head, screen }: Model): readonly PackedMatrix[] {
  const heads = [head, screen?.matrix].filter((matrix) => matrix !== undefined);
  return [...layers.flatMap((layer) => projectionsOf(layer)).map(({ matrix }) => matrix), ...heads];
}
