import type { Metadata, MetadataValue } from "#dist/files/model-file.js";
import { lettersOfBytes } from "#dist/text/token-spelling.js";

export interface SmallVocabularyOptions {
  readonly controls?: readonly string[];
  readonly userDefined?: readonly string[];
  /** Metadata entries to add, or to remove if undefined. */
  readonly entries?: Readonly<Record<string, MetadataValue | undefined>>;
}

/** Metadata of a byte-level vocabulary: 256 letters, one token per merge, then the special ones. */
export function byteVocabulary(merges: readonly string[], options: SmallVocabularyOptions = {}): Metadata {
  const { controls = ["<|bos|>", "<|eos|>"], userDefined = [] } = options;
  const normal = [...lettersOfBytes(), ...new Set(merges.map((merge) => merge.replace(" ", "")))];
  return build(
    [...normal.map(asType(1)), ...controls.map(asType(3)), ...userDefined.map(asType(4))],
    {
      "tokenizer.ggml.model": "gpt2",
      "tokenizer.ggml.pre": "llama-bpe",
      "tokenizer.ggml.merges": merges,
      ...(controls.length < 2
        ? {}
        : { "tokenizer.ggml.bos_token_id": normal.length, "tokenizer.ggml.eos_token_id": normal.length + 1 }),
    },
    options,
  );
}

/**
 * Metadata of a SentencePiece vocabulary: `<unk>`, `<s>`, `</s>`, 256 bytes, then the pieces with their
 * scores.
 */
export function pieceVocabulary(
  pieces: readonly (readonly [string, number])[],
  options: SmallVocabularyOptions = {},
): Metadata {
  const { controls = [], userDefined = [] } = options;
  const bytes = Array.from(
    { length: 256 },
    (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`,
  );
  const tokens = [
    ["<unk>", 2] as const,
    ...["<s>", "</s>", ...controls].map(asType(3)),
    ...bytes.map(asType(6)),
    ...userDefined.map(asType(4)),
  ];
  const scores = [...tokens.map(() => 0), ...pieces.map(([, score]) => score)];
  return build(
    [...tokens, ...pieces.map(([piece]) => piece).map(asType(1))],
    { "tokenizer.ggml.model": "llama", "tokenizer.ggml.scores": Float32Array.from(scores) },
    options,
  );
}

const asType =
  (type: number) =>
  (text: string): readonly [string, number] => [text, type];

function build(
  tokens: readonly (readonly [string, number])[],
  entries: Readonly<Record<string, MetadataValue>>,
  options: SmallVocabularyOptions,
): Metadata {
  const metadata = new Map<string, MetadataValue>(Object.entries(entries));
  metadata.set(
    "tokenizer.ggml.tokens",
    tokens.map(([text]) => text),
  );
  metadata.set(
    "tokenizer.ggml.token_type",
    Int32Array.from(tokens, ([, type]) => type),
  );
  for (const [key, value] of Object.entries(options.entries ?? {})) {
    if (value === undefined) metadata.delete(key);
    else metadata.set(key, value);
  }
  return metadata;
}
