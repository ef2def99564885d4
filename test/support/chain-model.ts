import type { Metadata } from "#dist/files/model-file.js";
import { createTokenizer, type Tokenizer } from "#dist/text/tokenizer.js";
import { byteVocabulary } from "./small-vocabularies.js";
import { decoderMetadata, decoderTensors, makeTinyModel, type TinySizes } from "./tiny-model.js";

/** A vocabulary of bytes, and its chat template. */
export interface ChainVocabulary {
  readonly chatTemplate: string;
  readonly controls: readonly string[];
  readonly userDefined: readonly string[];
}

/** A model whose next token depends on its last token only. */
export interface ChainModel {
  readonly bytes: Uint8Array;
  readonly tokenizer: Tokenizer;
}

/**
 * A model that writes given tokens. Its layers add nothing, each token has an embedding of its own, and the
 * output matrix leads from each to the next one.
 *
 * @param chains texts of which each token follows the one before it. A token has one next token only.
 * @param options.contextLength in tokens. Default: 512.
 */
export async function makeChainModel(
  { chatTemplate, controls, userDefined }: ChainVocabulary,
  chains: readonly string[],
  { contextLength = 512 }: { readonly contextLength?: number } = {},
): Promise<ChainModel> {
  const vocabulary: Metadata = byteVocabulary([], {
    controls,
    userDefined,
    entries: { "tokenizer.chat_template": chatTemplate, "tokenizer.ggml.add_bos_token": false },
  });
  const tokenizer = createTokenizer(vocabulary);
  const { vocabSize } = tokenizer;
  // Sizes in which rows of every format are whole.
  const width = Math.ceil(vocabSize / 128) * 128;
  const sizes: TinySizes = {
    layers: 1,
    width,
    feedForward: 128,
    heads: width / 64,
    kvHeads: 1,
    headSize: 64,
    vocabSize,
  };
  const next = new Map<number, number>();
  for (const chain of chains) {
    const ids = tokenizer.encode(chain, { addSpecial: false, parseSpecial: true });
    for (const [at, id] of ids.entries()) {
      const following = ids[at + 1];
      if (following === undefined) continue;
      if ((next.get(id) ?? following) !== following) throw new Error(`two tokens follow token ${id}`);
      next.set(id, following);
    }
  }
  const embedding = new Float32Array(width * vocabSize);
  const output = new Float32Array(width * vocabSize);
  for (let id = 0; id < vocabSize; id += 1) embedding[id * width + id] = 1;
  for (const [id, following] of next) output[following * width + id] = 1;
  const tensors = [
    ...decoderTensors(sizes),
    { name: "output.weight", shape: [width, vocabSize], kind: output },
  ].map((tensor) => {
    if (tensor.name === "token_embd.weight") return { ...tensor, kind: embedding };
    if (tensor.name === "output.weight") return tensor;
    // Layers of zeros add nothing.
    const count = tensor.shape.reduce((product, size) => product * size, 1);
    return { ...tensor, kind: new Float32Array(count).fill(tensor.kind === "norm" ? 1 : 0) };
  });
  const metadata = decoderMetadata("llama", sizes, {
    context_length: contextLength,
    "rope.dimension_count": 64,
  });
  const { bytes } = await makeTinyModel(
    new Map([...metadata, ...vocabulary]),
    tensors,
    { matrices: "F32", vectors: "F32" },
    1,
  );
  return { bytes, tokenizer };
}
