import { z } from "zod";
import type { GeneratedPiece } from "../../generation/generated-piece.js";
import type { GenerateOptions } from "../../options/generate-options.js";
import type { Tokenizer } from "../../text/tokenizer.js";
import { badRequest } from "../failures.js";
import { optional, type RequestPart, requestPart } from "../requests/body.js";

/** Describes the log-probabilities of pieces. @param begin number of characters of the text before them. */
export type DescribeLogprobs = (
  tokenizer: Tokenizer,
  pieces: readonly GeneratedPiece[],
  begin: number,
) => object;

/** The options about log-probabilities. */
type LogprobOptions = Pick<GenerateOptions, "logprobs" | "topLogprobs">;

/** The fields of `/v1/chat/completions`. */
export const chatLogprobsPart: RequestPart<LogprobOptions> = requestPart(
  {
    logprobs: optional(z.boolean()),
    top_logprobs: optional(z.int().min(0).max(20)),
  },
  ({ logprobs = false, top_logprobs: topLogprobs = 0 }) => {
    if (topLogprobs > 0 && !logprobs)
      throw badRequest("top_logprobs", "Invalid top_logprobs: it needs logprobs to be true");
    return { logprobs, topLogprobs };
  },
);

export const describeChatLogprobs: DescribeLogprobs = (tokenizer, pieces) => {
  const entry = (tokenId: number, logprob: number): object => ({
    token: tokenText(tokenizer, tokenId),
    logprob: finite(logprob),
    bytes: [...tokenizer.tokenBytes(tokenId, { skipSpecial: false })],
  });
  const content = pieces.map(({ tokenId, logprob = 0, topLogprobs = [] }) => ({
    ...entry(tokenId, logprob),
    top_logprobs: topLogprobs.map((top) => entry(top.tokenId, top.logprob)),
  }));
  return { content, refusal: null };
};

/** The field of `/v1/completions`. */
export const textLogprobsPart: RequestPart<LogprobOptions> = requestPart(
  { logprobs: optional(z.int().min(0).max(20)) },
  ({ logprobs }) => ({ logprobs: logprobs !== undefined, topLogprobs: logprobs ?? 0 }),
);

export const describeTextLogprobs: DescribeLogprobs = (tokenizer, pieces, begin) => {
  const tokens = pieces.map(({ tokenId }) => tokenText(tokenizer, tokenId));
  let offset = begin;
  return {
    tokens,
    token_logprobs: pieces.map(({ logprob = 0 }) => finite(logprob)),
    top_logprobs: pieces.map(({ topLogprobs = [] }) =>
      Object.fromEntries(topLogprobs.map((top) => [tokenText(tokenizer, top.tokenId), finite(top.logprob)])),
    ),
    text_offset: tokens.map((token) => (offset += token.length) - token.length),
  };
};

/** The pieces of the answer itself, without the thought and the end-of-generation token. */
export function textPieces(
  { endOfGenerationIds }: Tokenizer,
  pieces: readonly GeneratedPiece[],
): GeneratedPiece[] {
  return pieces.filter(
    ({ tokenId, finishReason, thinking }) =>
      finishReason !== "abort" && thinking !== true && !endOfGenerationIds.has(tokenId),
  );
}

/** The text of a token. Bytes that are not whole characters become U+FFFD. */
function tokenText(tokenizer: Tokenizer, tokenId: number): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(
    tokenizer.tokenBytes(tokenId, { skipSpecial: false }),
  );
}

/** JSON has no infinity. OpenAI's minimum is −9999. */
function finite(logprob: number): number {
  return Math.max(logprob, -9999);
}
