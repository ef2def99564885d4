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
 * One piece of a generated text, for one token. A last token that ends a thought and has text of the answer
 * makes two.
 */
export interface GeneratedPiece {
  /** New text. Empty while a character or a possible stop string is incomplete. */
  readonly text: string;
  /**
   * The text is part of the model's thought, not of its answer. So is a token that is a tag of the thought or
   * white space beside it; its text is empty. Only in a chat, and absent otherwise.
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
