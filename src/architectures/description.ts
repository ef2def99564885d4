/** What a model computes, as data: the sizes of its graph and the names of the tensors that fill it. */
export interface ModelDescription {
  /** The name in the file, such as "bitnet-b1.58". */
  readonly architecture: string;
  readonly sizes: ModelSizes;
  /** The ways in which heads turn; layers name theirs by index. */
  readonly ropes: readonly RopeDescription[];
  readonly gate: Gate;
  /** Added to the mean square in every RMSNorm. */
  readonly epsilon: number;
  /** What q · k is multiplied by. */
  readonly attentionScale: number;
  /** What rows of the embedding are multiplied by before the first layer. */
  readonly embeddingScale: number;
  readonly embedding: MatrixRole;
  readonly outputNorm: VectorRole;
  /** The output head; the embedding's own role where they are tied. */
  readonly head: MatrixRole;
  readonly layers: readonly LayerDescription[];
  /** Which hidden states make a text's embedding, if the model was made for that; undefined for writers of text. */
  readonly pooling: Pooling | undefined;
}

/** What the feed-forward gate goes through: max(x, 0)², x · sigmoid(x), or GELU in its approximation by tanh. */
export type Gate = "relu2" | "silu" | "gelu";

/** A text's embedding is the hidden state of its last token, or the mean of them all. */
export type Pooling = "last" | "mean";

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
  /** What every angle is multiplied by: 1 / factor of linear scaling, and of YaRN where it interpolates. */
  readonly scale: number;
  /** What cosines and sines are multiplied by, besides what YaRN has them multiplied by. */
  readonly magnitude: number;
  readonly yarn: YarnDescription | undefined;
  /** F32 [dimensions / 2] that divides the frequencies, if the file has it. */
  readonly factors: VectorRole | undefined;
  /** The same in place of `factors`, for contexts longer than so many positions (LongRoPE). */
  readonly longFactors: { readonly above: number; readonly factors: VectorRole } | undefined;
}

/** YaRN (Peng et al., 2023): pairs that turn fast keep their frequency, slow ones are stretched, those between are mixed. */
export interface YarnDescription {
  /** Positions that the model was trained for before its context was stretched. */
  readonly originalContextLength: number;
  /** Turns within the original context above which a pair is fast, and below which it is slow. */
  readonly betaFast: number;
  readonly betaSlow: number;
  /** How much of its own frequency a fast pair keeps: 1 usually. */
  readonly extrapolation: number;
  /** Weakens the growth of the magnitude with the stretch; 0 leaves it as it is. */
  readonly logMultiplier: number;
}

/** A matrix y = W · x with W [rows, cols], stored as tensor [cols, rows]. */
export interface MatrixRole {
  readonly tensor: string;
  readonly rows: number;
  readonly cols: number;
  /** Name of an F32 [1] tensor that multiplies the product, where the file has one. */
  readonly outputScale: string | undefined;
  /** A constant that multiplies the product as well; left out, 1. */
  readonly factor?: number;
}

export interface VectorRole {
  readonly tensor: string;
  readonly length: number;
  /** A constant that multiplies every element; left out, 1. */
  readonly factor?: number;
}

/** A linear layer with all that belongs to it alone: y = outputNorm(W · inputNorm(x) + bias). What is undefined is not there. */
export interface ProjectionRole {
  readonly matrix: MatrixRole;
  /** After the norm that projections of one input share, if they share one. */
  readonly inputNorm: VectorRole | undefined;
  readonly bias: VectorRole | undefined;
  readonly outputNorm: VectorRole | undefined;
}

/** One block of a decoder. */
export interface LayerDescription {
  readonly attentionNorm: VectorRole;
  readonly query: ProjectionRole;
  readonly key: ProjectionRole;
  readonly value: ProjectionRole;
  /** RMSNorm of each head of queries, and of keys, before they turn. */
  readonly queryNorm: VectorRole | undefined;
  readonly keyNorm: VectorRole | undefined;
  /** Index into the model's `ropes`. */
  readonly rope: number;
  /** How many positions a token sees, its own the last; undefined for all up to it. */
  readonly window: number | undefined;
  readonly output: ProjectionRole;
  readonly feedForwardNorm: VectorRole;
  readonly gate: ProjectionRole;
  readonly up: ProjectionRole;
  readonly down: ProjectionRole;
}

/** One family of models: the architecture names that mean it, and how to describe one of them. */
export interface Architecture {
  /** Values of `general.architecture`. */
  readonly names: readonly string[];
  readonly decoder: DecoderTraits;
}

/** Where the decoders that we run differ from one another. What is left out, a family does not have. */
export interface DecoderTraits {
  readonly gate: Gate;
  readonly pairing: "halves" | "adjacent";
  /** `attn_sub_norm` and `ffn_sub_norm` stand before the output and down projections. */
  readonly subNorms?: true;
  /** `attn_q_norm` and `attn_k_norm` normalize each head of queries and keys. */
  readonly headNorms?: true;
  /** `post_attention_norm` and `post_ffw_norm` stand behind the output and down projections. */
  readonly postNorms?: true;
  /** Files may have a norm of its own before each projection, `attn_q_norm_in` and six more (BitNet's embedding models). */
  readonly projectionNorms?: true;
  /** Files may have biases. */
  readonly biases?: true;
  /** Constants that numbers are multiplied by on their way; left out, those of most models. */
  readonly scales?: (keys: ArchitectureKeys, sizes: ModelSizes) => Partial<Scales>;
  /**
   * Where the file names a sliding window: of every `period` layers all but the last have it, unless the file names another
   * pattern, and heads turn by `base` in them, unless the file names another.
   */
  readonly slidingWindow?: { readonly period: number; readonly base: number };
}

export interface Scales {
  /** Of embedding rows. */
  readonly embedding: number;
  /** Of what attention and feed-forward add to the residual stream. */
  readonly residual: number;
  /** Of q · k. */
  readonly attention: number;
  /** Of logits. */
  readonly logits: number;
}

/** The metadata under an architecture's own name: "attention.head_count" is read as "qwen3.attention.head_count". */
export interface ArchitectureKeys {
  has(key: string): boolean;
  /** A positive finite number, or the fallback where the file has none. @throws BitNetError MODEL_INVALID */
  positive(key: string, fallback?: number): number;
  /** A finite number, or the fallback. @throws BitNetError MODEL_INVALID */
  number(key: string, fallback: number): number;
  /** A whole number within limits. @throws BitNetError MODEL_INVALID */
  count(
    key: string,
    range: { readonly min: number; readonly max: number; readonly fallback?: number },
  ): number;
  /** A text, or the fallback. @throws BitNetError MODEL_INVALID */
  text(key: string, fallback: string): string;
  /** The value as it is. */
  value(key: string): unknown;
  /** Refuses the model for something in its metadata that has no graph here. */
  unsupported(problem: string, details?: Readonly<Record<string, unknown>>): Error;
}
