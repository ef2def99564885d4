import type { EncodeOptions, Tokenizer } from "../text/tokenizer.js";

/** Token ids of a text that goes on: with BOS as the model wants it, and without EOS, for it has not ended. */
export function encodeOpenText(tokenizer: Tokenizer, text: string, options: EncodeOptions = {}): number[] {
  const ids = tokenizer.encode(text, options);
  if (tokenizer.addsEos && options.addSpecial !== false) ids.pop();
  return ids;
}
