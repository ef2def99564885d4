import { Config, type JsonObject } from "#dist/checkpoints/config.js";
import { metadataMaps } from "#dist/checkpoints/metadata-list.js";
import { readTokenizer } from "#dist/checkpoints/tokenizer.js";
import type { Metadata } from "#dist/files/model-file.js";
import { memoryFolder } from "#dist/platform/memory-source.js";
import { createTokenizer, type Tokenizer } from "#dist/text/tokenizer.js";
import { byteVocabulary } from "./small-vocabularies.js";
import { exportTokenizer } from "./tokenizer-export.js";

export type Json = Record<string, unknown>;
export interface Files {
  readonly "tokenizer.json": Json & { readonly model: Json; readonly added_tokens: Json[] };
  readonly "tokenizer_config.json": Json;
}

/** A byte-level vocabulary with control tokens and an added token. */
export const bytes = byteVocabulary(["h e", "l l", "he ll", "hell o", "Ġ w", "o r"], {
  controls: ["<|bos|>", "<|eos|>", "<|eot_id|>"],
  userDefined: ["<think>"],
});

/** The files of a checkpoint with this vocabulary, to be changed by a test. */
export function filesOf(metadata: Metadata): Files {
  return structuredClone(exportTokenizer(metadata)) as unknown as Files;
}

/** The number of tokens in the files. */
export function sizeOf(files: Files): number {
  return (
    Math.max(
      ...files["tokenizer.json"].added_tokens.map(({ id }) => Number(id)),
      ...Object.values(files["tokenizer.json"].model.vocab as Record<string, number>),
    ) + 1
  );
}

/** Reads the files as a checkpoint's, with these changes. */
export async function metadataOfFiles(
  files: Files,
  options: {
    readonly config?: JsonObject;
    readonly more?: Readonly<Record<string, unknown>>;
    readonly vocabSize?: number;
  } = {},
): Promise<Metadata> {
  const all = Object.entries({ ...files, ...options.more });
  const folder = memoryFolder(
    new Map(
      all.map(([name, value]) => [
        name,
        new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value)),
      ]),
    ),
  );
  const config = new Config("folder", "config.json", options.config ?? {});
  return metadataMaps(await readTokenizer(folder, config, options.vocabSize ?? sizeOf(files))).metadata;
}

export async function tokenizerOf(...args: Parameters<typeof metadataOfFiles>): Promise<Tokenizer> {
  return createTokenizer(await metadataOfFiles(...args));
}
