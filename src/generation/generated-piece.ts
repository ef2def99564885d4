/** Why a text ended: the model or a stop string ended it, it reached its greatest length, or a signal stopped it. */
export type FinishReason = "stop" | "length" | "abort";

/** How many tokens went in and came out. */
export interface Usage {
  /** Tokens of the prompt, BOS included. */
  readonly promptTokens: number;
  /** Tokens that the model wrote, the one that ended the text included. */
  readonly generatedTokens: number;
}

/** A token that could have been written, and the natural logarithm of its probability. */
export interface TokenLogprob {
  readonly tokenId: number;
  readonly logprob: number;
}

/** One step of a text as it is written. */
export interface GeneratedPiece {
  /** What is certain of the text by now; may be empty while a character or a possible stop string is incomplete. */
  readonly text: string;
  /** The token that was written; on a piece that only says "abort", once more the last of the text, or of the prompt. */
  readonly tokenId: number;
  /** Natural logarithm of the token's probability before any sampling option; only where `logprobs` asks for it. */
  readonly logprob?: number;
  /** The likeliest tokens at this place, likeliest first; only where `topLogprobs` asks for some. */
  readonly topLogprobs?: readonly TokenLogprob[];
  /** Set on the last piece. */
  readonly finishReason?: FinishReason;
  /** Set on the last piece. */
  readonly usage?: Usage;
}
