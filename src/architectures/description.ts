/** What a model computes, as data: the sizes of its graph and the names of the tensors that fill it. */
export interface ModelDescription {
  /** The name in the file, such as "bitnet-b1.58". */
  readonly architecture: string;
  readonly sizes: ModelSizes;
  readonly rope: RopeDescription;
  /** What the feed-forward gate goes through: max(x, 0)² or x · sigmoid(x). */
  readonly gate: "relu2" | "silu";
  /** Added to the mean square in every RMSNorm. */
  readonly epsilon: number;
  /** What q · k is multiplied by. */
  readonly attentionScale: number;
  readonly embedding: MatrixRole;
  readonly outputNorm: VectorRole;
  /** The output head; the embedding's own role where they are tied. */
  readonly head: MatrixRole;
  readonly layers: readonly LayerDescription[];
}

/** Counts of elements. */
export interface ModelSizes {
  readonly layers: number;
  readonly width: number;
  readonly feedForward: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headSize: number;
  readonly vocabSize: number;
  /** Positions that the model was made for. */
  readonly contextLength: number;
}

export interface RopeDescription {
  /** Which elements of a head turn together: (i, i + dimensions/2), called NEOX, or (2i, 2i + 1), called NORM. */
  readonly pairing: "halves" | "adjacent";
  /** Leading elements of a head that turn; even. */
  readonly dimensions: number;
  readonly base: number;
  /** What every angle is multiplied by: 1 / factor of linear scaling. */
  readonly scale: number;
  /** F32 [dimensions / 2] that divides the frequencies, if the file has it. */
  readonly factors: VectorRole | undefined;
}

/** A matrix y = W · x with W [rows, cols], stored as tensor [cols, rows]. */
export interface MatrixRole {
  readonly tensor: string;
  readonly rows: number;
  readonly cols: number;
  /** Name of an F32 [1] tensor that multiplies the product, where the file has one. */
  readonly outputScale: string | undefined;
}

export interface VectorRole {
  readonly tensor: string;
  readonly length: number;
}

/** One block of a decoder. Sub-norms stand before the output and down projections where an architecture has them. */
export interface LayerDescription {
  readonly attentionNorm: VectorRole;
  readonly query: MatrixRole;
  readonly key: MatrixRole;
  readonly value: MatrixRole;
  readonly attentionSubNorm: VectorRole | undefined;
  readonly output: MatrixRole;
  readonly feedForwardNorm: VectorRole;
  readonly gate: MatrixRole;
  readonly up: MatrixRole;
  readonly feedForwardSubNorm: VectorRole | undefined;
  readonly down: MatrixRole;
}

/** One family of models: the architecture names that mean it, and how to describe one of them. */
export interface Architecture {
  /** Values of `general.architecture`. */
  readonly names: readonly string[];
  readonly decoder: DecoderTraits;
}

/** Where the decoders that we run differ from one another. */
export interface DecoderTraits {
  readonly gate: "relu2" | "silu";
  readonly pairing: "halves" | "adjacent";
  /** Whether `attn_sub_norm` and `ffn_sub_norm` stand before the output and down projections. */
  readonly subNorms: boolean;
}
