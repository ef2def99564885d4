/** Why a text ended: "stop" by the model or a stop string, "length" by a limit, "abort" by a signal. */
export type FinishReason = "stop" | "length" | "abort";

/** Numbers of tokens. */
export interface Usage {
  /** Tokens of the prompt, BOS included. */
  readonly promptTokens: number;
  /** Tokens of the text, with the token that ended it. */
  readonly generatedTokens: number;
  /** The generated tokens of the thought, its tags included. Only in a chat with a model that thinks. */
  readonly thinkingTokens?: number;
}

/** A candidate token and the natural logarithm of its probability. */
export interface TokenLogprob {
  /** Id of the token. */
  readonly tokenId: number;
  /** Natural logarithm of its probability, at most 0. */
  readonly logprob: number;
}

/**
 * One piece of a generated text, for one token. If the last token ends a thought and also has text of the
 * answer, it makes two pieces.
 */
export interface GeneratedPiece {
  /** New text. Empty while a character or a possible stop string is incomplete. */
  readonly text: string;
  /**
   * The text is part of the model's thought, not of its answer. The tags of the thought and the white space
   * beside them count as thought; their text is empty. Only in a chat, and absent otherwise.
   */
  readonly thinking?: true;
  /** The token of this piece. On an "abort" piece: the last token of the text, or of the prompt. */
  readonly tokenId: number;
  /** Natural logarithm of the token's probability before any sampling option; only with `logprobs`. */
  readonly logprob?: number;
  /** The likeliest tokens at this position, likeliest first; only with `topLogprobs`. */
  readonly topLogprobs?: readonly TokenLogprob[];
  /** Only on the last piece. */
  readonly finishReason?: FinishReason;
  /** Only on the last piece. */
  readonly usage?: Usage;
}
