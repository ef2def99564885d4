import { z } from "zod";
import type { GeneratedPiece } from "../../generation/generated-piece.js";
import type { GenerateOptions } from "../../options/generate-options.js";
import type { Tokenizer } from "../../text/tokenizer.js";
import { checkBody, optional } from "../body.js";
import { badRequest } from "../failures.js";

/** Log-probabilities as one of the routes has them. */
export interface LogprobShape {
  /** What a request asks for; nothing if it does not. */
  readonly read: (body: unknown) => Pick<GenerateOptions, "logprobs" | "topLogprobs">;
  /** @param begin how many characters of the text came before. */
  readonly describe: (tokenizer: Tokenizer, pieces: readonly GeneratedPiece[], begin: number) => object;
}

const chatSchema = z.object({
  logprobs: optional(z.boolean()),
  top_logprobs: optional(z.int().min(0).max(20)),
});
const textSchema = z.object({ logprobs: optional(z.int().min(0).max(20)) });

export const chatLogprobs: LogprobShape = {
  read(body) {
    const { logprobs = false, top_logprobs: topLogprobs = 0 } = checkBody(chatSchema, body);
    if (topLogprobs > 0 && !logprobs)
      throw badRequest("top_logprobs", "Invalid top_logprobs: it needs logprobs to be true");
    return { logprobs, topLogprobs };
  },
  describe(tokenizer, pieces) {
    const entry = (tokenId: number, logprob: number): object => ({
      token: spell(tokenizer, tokenId),
      logprob: finite(logprob),
      bytes: [...tokenizer.tokenBytes(tokenId, { skipSpecial: false })],
    });
    const content = pieces.map(({ tokenId, logprob = 0, topLogprobs = [] }) => ({
      ...entry(tokenId, logprob),
      top_logprobs: topLogprobs.map((top) => entry(top.tokenId, top.logprob)),
    }));
    return { content, refusal: null };
  },
};

export const textLogprobs: LogprobShape = {
  read(body) {
    const { logprobs } = checkBody(textSchema, body);
    return { logprobs: logprobs !== undefined, topLogprobs: logprobs ?? 0 };
  },
  describe(tokenizer, pieces, begin) {
    const tokens = pieces.map(({ tokenId }) => spell(tokenizer, tokenId));
    let offset = begin;
    return {
      tokens,
      token_logprobs: pieces.map(({ logprob = 0 }) => finite(logprob)),
      top_logprobs: pieces.map(({ topLogprobs = [] }) =>
        Object.fromEntries(topLogprobs.map((top) => [spell(tokenizer, top.tokenId), finite(top.logprob)])),
      ),
      text_offset: tokens.map((token) => (offset += token.length) - token.length),
    };
  },
};

/** The pieces that stand for tokens of the text: the mark that ends one is none. */
export function textPieces(
  { endOfGenerationIds }: Tokenizer,
  pieces: readonly GeneratedPiece[],
): GeneratedPiece[] {
  return pieces.filter(
    ({ tokenId, finishReason }) => finishReason !== "abort" && !endOfGenerationIds.has(tokenId),
  );
}

/** What a token says; parts of characters have no text of their own. */
export function spell(tokenizer: Tokenizer, tokenId: number): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(
    tokenizer.tokenBytes(tokenId, { skipSpecial: false }),
  );
}

/** JSON has no infinities; OpenAI's least is this. */
function finite(logprob: number): number {
  return Math.max(logprob, -9999);
}
