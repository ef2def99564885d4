import type { Engine } from "../engine/engine.js";
import { BitNetError } from "../errors.js";
import type { EmbedOptions } from "../generation/embed-options.js";
import type { Tokenizer } from "../text/tokenizer.js";
import type { LanguageModel } from "./language-model.js";

/** Vectors of texts, and the number of tokens. */
export interface EmbeddedTexts {
  readonly vectors: Float32Array<ArrayBuffer>[];
  /** Number of tokens in all texts. */
  readonly tokens: number;
}

/** How texts to embed are limited. */
export interface TextLimits {
  /** Whether a text that is longer than the context is cut. Otherwise it is refused. */
  readonly truncates: boolean;
}

/** The parts of a model that this library's server and tools use. Users cannot reach them. */
export interface ModelInternals {
  readonly engine: Engine;
  readonly tokenizer: Tokenizer;
  /** As `model.embed`, with the number of tokens. @param limits Default: long texts are refused. */
  readonly embed: (
    texts: readonly string[],
    options?: EmbedOptions,
    limits?: TextLimits,
  ) => Promise<EmbeddedTexts>;
}

const internals = new WeakMap<LanguageModel, ModelInternals>();

/** Remembers the parts of a model for as long as the model lives. */
export function keepInternals(model: LanguageModel, parts: ModelInternals): void {
  internals.set(model, parts);
}

/** @throws BitNetError INVALID_ARGUMENT for an object that `loadModel` did not make. */
export function internalsOf(model: LanguageModel): ModelInternals {
  const parts = internals.get(model);
  if (parts === undefined) {
    const why =
      (model as unknown) instanceof Promise ? "it is a promise: await it" : "loadModel did not make it";
    throw new BitNetError("INVALID_ARGUMENT", `This is not a model: ${why}`);
  }
  return parts;
}
