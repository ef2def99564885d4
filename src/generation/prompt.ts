import { BitNetError } from "../errors.js";
import type { SliceOptions } from "../text/slices.js";
import type { EncodeOptions, Tokenizer } from "../text/tokenizer.js";

/** How a prompt is encoded, and the signal that stops it. */
type PromptOptions = EncodeOptions & Pick<SliceOptions, "signal">;

/**
 * The tokens of a prompt.
 *
 * @param options.parseSpecial whether control tokens spelled in a text become tokens.
 * @throws BitNetError INVALID_ARGUMENT for a prompt without tokens or an unknown token id; CONTEXT_FULL if it
 *   does not fit.
 */
export async function promptTokens(
  tokenizer: Tokenizer,
  prompt: string | readonly number[],
  contextLength: number,
  { parseSpecial, signal }: PromptOptions,
): Promise<readonly number[]> {
  const ids =
    typeof prompt === "string"
      ? await encodePrompt(tokenizer, prompt, { parseSpecial, signal })
      : requireList(prompt);
  if (ids.length > contextLength) {
    throw new BitNetError(
      "CONTEXT_FULL",
      `The prompt has ${ids.length} tokens and the context holds ${contextLength}: shorten the prompt, or load the model with a longer context if it has one`,
      { details: { promptTokens: ids.length, contextLength } },
    );
  }
  return typeof prompt === "string" ? ids : checkIds(tokenizer, ids);
}

/**
 * Token ids of an unfinished text: with BOS if the model wants it and the text does not spell it, and without
 * EOS.
 */
export function encodeOpenText(tokenizer: Tokenizer, text: string, options: EncodeOptions = {}): number[] {
  return asOpenText(tokenizer, tokenizer.encode(text, options), options);
}

/** As `encodeOpenText`, in slices as in `Tokenizer.encodeAsync`. */
export async function encodeOpenTextAsync(
  tokenizer: Tokenizer,
  text: string,
  options: PromptOptions = {},
): Promise<number[]> {
  return asOpenText(tokenizer, await tokenizer.encodeAsync(text, options), options);
}

function asOpenText(tokenizer: Tokenizer, ids: number[], options: EncodeOptions): number[] {
  if (options.addSpecial === false) return ids;
  if (tokenizer.addsEos) ids.pop();
  const { bosId } = tokenizer;
  // The first BOS is the added one. Only a text that spells BOS at its beginning has a second.
  if (options.parseSpecial === true && bosId !== undefined && ids[0] === bosId && ids[1] === bosId)
    ids.shift();
  return ids;
}

async function encodePrompt(
  tokenizer: Tokenizer,
  text: string,
  options: PromptOptions,
): Promise<readonly number[]> {
  const ids = await encodeOpenTextAsync(tokenizer, text, options);
  if (ids.length > 0) return ids;
  throw new BitNetError(
    "INVALID_ARGUMENT",
    "Cannot continue an empty prompt: this model has no BOS token to begin with",
  );
}

function requireList(ids: readonly number[]): readonly number[] {
  const isList: boolean = Array.isArray(ids);
  if (isList && typeof (ids[0] as unknown) === "object") {
    throw new BitNetError(
      "INVALID_ARGUMENT",
      "Cannot continue messages: model.chat() takes messages; a prompt is a text or token ids",
    );
  }
  if (isList && ids.length > 0) return ids;
  throw new BitNetError(
    "INVALID_ARGUMENT",
    "Cannot continue a prompt without tokens: give a text, or at least one id",
  );
}

function checkIds({ vocabSize }: Tokenizer, ids: readonly number[]): readonly number[] {
  for (const id of ids) {
    if (Number.isInteger(id) && id >= 0 && id < vocabSize) continue;
    throw new BitNetError("INVALID_ARGUMENT", `Invalid token id: ${id} (expected 0 to ${vocabSize - 1})`, {
      details: { id },
    });
  }
  return [...ids];
}
