import type { Pooling } from "../architectures/index.js";
import { BitNetError, throwIfAborted } from "../errors.js";
import type { ResolvedEmbedOptions } from "../generation/embed-options.js";
import type { Tokenizer } from "../text/tokenizer.js";

/**
 * Tokenizes texts for embedding, in slices as in `Tokenizer.encodeAsync`.
 *
 * @param texts from the caller, unchecked.
 * @param limits.contextLength maximum number of tokens of a text.
 * @param limits.appendsEos whether "last" pooling appends EOS even if the tokenizer does not.
 * @param limits.truncates whether a longer text is cut. Otherwise it is refused.
 * @throws BitNetError INVALID_ARGUMENT, CONTEXT_FULL.
 */
export async function embeddedIds(
  tokenizer: Tokenizer,
  texts: unknown,
  { prefix, pooling, signal }: ResolvedEmbedOptions,
  limits: { readonly contextLength: number; readonly appendsEos: boolean; readonly truncates: boolean },
): Promise<readonly (readonly number[])[]> {
  throwIfAborted(signal);
  if (!Array.isArray(texts)) {
    throw new BitNetError("INVALID_ARGUMENT", `Cannot embed ${typeof texts}: expected an array of strings`);
  }
  const sequences: (readonly number[])[] = [];
  // The first text that is wrong or too long ends the work.
  for (const [index, text] of (texts as readonly unknown[]).entries()) {
    if (typeof text !== "string") {
      throw new BitNetError(
        "INVALID_ARGUMENT",
        `Cannot embed text ${index}: it is ${typeof text}, expected a string`,
      );
    }
    const ids = await tokenizer.encodeAsync(prefix + text, { signal });
    if (limits.appendsEos) appendEos(ids, tokenizer, pooling);
    if (limits.truncates) truncate(ids, tokenizer, limits.contextLength);
    checkLength(ids, index, limits.contextLength);
    sequences.push(ids);
  }
  return sequences;
}

/** "last" pooling reads the hidden state of EOS. */
function appendEos(ids: number[], { eosId, addsEos }: Tokenizer, pooling: Pooling): void {
  if (pooling === "last" && !addsEos && eosId !== undefined) ids.push(eosId);
}

/** Cuts a text to the context. An EOS at the end stays: "last" pooling reads it. */
function truncate(ids: number[], { eosId }: Tokenizer, contextLength: number): void {
  const excess = ids.length - contextLength;
  if (excess <= 0) return;
  const end = ids.at(-1) === eosId && contextLength > 1 ? ids.length - 1 : ids.length;
  ids.splice(end - excess, excess);
}

function checkLength(ids: readonly number[], index: number, contextLength: number): void {
  if (ids.length === 0) {
    throw new BitNetError(
      "INVALID_ARGUMENT",
      `Cannot embed text ${index}: it is empty, and this model has no token that begins or ends a text`,
      { details: { index } },
    );
  }
  if (ids.length > contextLength) {
    throw new BitNetError(
      "CONTEXT_FULL",
      `Text ${index} has ${ids.length} tokens and the context holds ${contextLength}: ` +
        "shorten the text, or load the model with a longer context if it supports one",
      { details: { index, tokens: ids.length, contextLength } },
    );
  }
}
