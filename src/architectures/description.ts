/** A model's computation as data: the sizes of its graph and the names of its tensors. */
export interface ModelDescription {
  /** The name in the file, such as "bitnet-b1.58". */
  readonly architecture: string;
  readonly sizes: ModelSizes;
  /** The rotations of heads. Layers refer to them by index. */
  readonly ropes: readonly RopeDescription[];
  readonly gate: Gate;
  /** Added to the mean square in every RMSNorm. */
  readonly epsilon: number;
  /** Factor on q · k. */
  readonly attentionScale: number;
  /** Factor on the rows of the embedding, before the first layer. */
  readonly embeddingScale: number;
  readonly embedding: MatrixRole;
  readonly outputNorm: VectorRole;
  /** The output head. For tied weights, the embedding's own role. */
  readonly head: MatrixRole;
  readonly layers: readonly LayerDescription[];
  /** The hidden states that make a text's embedding. Undefined for models that generate text. */
  readonly pooling: Pooling | undefined;
}

/** Activation of the feed-forward gate: max(x, 0)², x · sigmoid(x), or GELU approximated by tanh. */
export type Gate = "relu2" | "silu" | "gelu";

/** A text's embedding is the hidden state of its last token, or the mean of all. */
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
  /** Maximum context length of the model. */
  readonly contextLength: number;
}

export interface RopeDescription {
  /**
   * The pairs of elements that rotate: (i, i + dimensions/2), called NEOX, or (2i, 2i + 1), called NORM. The
   * wrong pairing corrupts attention silently.
   */
  readonly pairing: "halves" | "adjacent";
  /** Leading elements of a head that rotate; even. */
  readonly dimensions: number;
  readonly base: number;
  /** Factor on every angle: 1 / factor of linear scaling, and of YaRN for interpolated pairs. */
  readonly scale: number;
  /** Extra factor on cos and sin, on top of YaRN's. */
  readonly magnitude: number;
  readonly yarn: YarnDescription | undefined;
  /** F32 [dimensions / 2] that divides the frequencies, if the file has it. */
  readonly factors: VectorRole | undefined;
  /** Replaces `factors` for contexts longer than this many positions (LongRoPE). */
  readonly longFactors: { readonly above: number; readonly factors: VectorRole } | undefined;
}

/**
 * YaRN (Peng et al., 2023, arXiv:2309.00071). Fast pairs keep their frequency, slow pairs are stretched,
 * pairs between are mixed.
 */
export interface YarnDescription {
  /** Context length of the training before the stretch. */
  readonly originalContextLength: number;
  /** Turns within the original context: pairs above are fast, pairs below are slow. */
  readonly betaFast: number;
  readonly betaSlow: number;
  /** How much of its own frequency a fast pair keeps; usually 1. */
  readonly extrapolation: number;
  /** Weakens the growth of the magnitude with the stretch. 0 leaves it unchanged. */
  readonly logMultiplier: number;
}

/** A matrix y = W · x with W [rows, cols], stored as tensor [cols, rows]. */
export interface MatrixRole {
  readonly tensor: string;
  readonly rows: number;
  readonly cols: number;
  /** Name of an F32 [1] tensor that scales the result, if the file has one. */
  readonly outputScale: string | undefined;
  /** A constant that also scales the result. Default 1. */
  readonly factor?: number;
}

export interface VectorRole {
  readonly tensor: string;
  readonly length: number;
  /** A constant that multiplies every element. Default 1. */
  readonly factor?: number;
}

/**
 * A linear layer with everything that belongs to it alone: y = outputNorm(W · inputNorm(x) + bias). Undefined
 * parts do not exist.
 */
export interface ProjectionRole {
  readonly matrix: MatrixRole;
  /** After the norm that projections of one input share, if there is one. */
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
  /** RMSNorm of each head of queries, and of keys, before the rotation. */
  readonly queryNorm: VectorRole | undefined;
  readonly keyNorm: VectorRole | undefined;
  /** Index into the model's `ropes`. */
  readonly rope: number;
  /** How many positions a token sees, including its own. Undefined for all earlier ones. */
  readonly window: number | undefined;
  readonly output: ProjectionRole;
  readonly feedForwardNorm: VectorRole;
  readonly gate: ProjectionRole;
  readonly up: ProjectionRole;
  readonly down: ProjectionRole;
}

/** One family of models: its architecture names and its description. */
export interface Architecture {
  /** Values of `general.architecture`. */
  readonly names: readonly string[];
  readonly decoder: DecoderTraits;
}

/** The differences between the decoders that we run. Absent traits are off. */
export interface DecoderTraits {
  readonly gate: Gate;
  readonly pairing: "halves" | "adjacent";
  /** `attn_sub_norm` and `ffn_sub_norm` exist before the output and down projections. */
  readonly subNorms?: true;
  /** `attn_q_norm` and `attn_k_norm` normalize each head of queries and keys. */
  readonly headNorms?: true;
  /** `post_attention_norm` and `post_ffw_norm` exist after the output and down projections. */
  readonly postNorms?: true;
  /**
   * Files may have a norm before each projection, `attn_q_norm_in` and six more (BitNet's embedding models).
   */
  readonly projectionNorms?: true;
  /** Files may have biases. */
  readonly biases?: true;
  /** Constant factors inside the graph. Default: those of most models. */
  readonly scales?: (keys: ArchitectureKeys, sizes: ModelSizes) => Partial<Scales>;
  /**
   * For files that name a sliding window. In every `period` layers, all but the last have the window, and
   * their heads rotate by `base`. The file may name another pattern and base.
   */
  readonly slidingWindow?: { readonly period: number; readonly base: number };
}

export interface Scales {
  /** Factor on embedding rows. */
  readonly embedding: number;
  /** Factor on the outputs of attention and feed-forward, before they are added to the residual stream. */
  readonly residual: number;
  /** Factor on q · k. */
  readonly attention: number;
  /** Factor on logits. */
  readonly logits: number;
}

/** The metadata under an architecture's name: "attention.head_count" means "qwen3.attention.head_count". */
export interface ArchitectureKeys {
  has(key: string): boolean;
  /**
   * A positive finite number, or the fallback if it is absent.
   * @throws BitNetError MODEL_INVALID
   */
  positive(key: string, fallback?: number): number;
  /**
   * A finite number, or the fallback if it is absent.
   * @throws BitNetError MODEL_INVALID
   */
  number(key: string, fallback: number): number;
  /**
   * A whole number within limits.
   * @throws BitNetError MODEL_INVALID
   */
  count(
    key: string,
    range: { readonly min: number; readonly max: number; readonly fallback?: number },
  ): number;
  /**
   * A text, or the fallback if it is absent.
   * @throws BitNetError MODEL_INVALID
   */
  text(key: string, fallback: string): string;
  /** The value itself. */
  value(key: string): unknown;
  /** Refuses a model whose metadata asks for something that no graph here has. */
  unsupported(problem: string, details?: Readonly<Record<string, unknown>>): Error;
}
