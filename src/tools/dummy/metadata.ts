import { openGguf } from "../../files/gguf.js";
import type { GgufValue } from "../../files/gguf-writer.js";
import { embeddedModelUrl } from "../../language-model/find-source.js";
import { openFileSource } from "../../platform/node.js";
import type { DummyShape } from "./shapes.js";
import { extendVocabulary } from "./vocabulary.js";

/** The metadata of a model of a shape. The embedded model's vocabulary is extended to its size. */
export async function dummyMetadata(
  size: string,
  shape: DummyShape,
  fileType: number | undefined,
): Promise<ReadonlyMap<string, GgufValue>> {
  const vocabulary = await loadVocabulary(shape.vocabSize);
  const { architecture } = shape;
  const text = (value: string): GgufValue => ({ type: "string", value });
  const count = (value: number): GgufValue => ({ type: "uint32", value });
  const real = (value: number): GgufValue => ({ type: "float32", value });
  return new Map<string, GgufValue>([
    ["general.architecture", text(architecture)],
    ["general.name", text(`dummy ${size} (random weights)`)],
    [`${architecture}.vocab_size`, count(shape.vocabSize)],
    [`${architecture}.context_length`, count(shape.contextLength)],
    [`${architecture}.embedding_length`, count(shape.width)],
    [`${architecture}.block_count`, count(shape.layers)],
    [`${architecture}.feed_forward_length`, count(shape.feedForward)],
    [`${architecture}.rope.dimension_count`, count(shape.width / shape.heads)],
    [`${architecture}.attention.head_count`, count(shape.heads)],
    [`${architecture}.attention.head_count_kv`, count(shape.kvHeads)],
    ["tokenizer.ggml.add_bos_token", { type: "bool", value: true }],
    [`${architecture}.attention.layer_norm_rms_epsilon`, real(1e-5)],
    [`${architecture}.rope.freq_base`, real(shape.ropeTheta)],
    ...(fileType === undefined ? [] : [["general.file_type", count(fileType)] as const]),
    ["tokenizer.ggml.model", text("gpt2")],
    ["tokenizer.ggml.pre", text("llama-bpe")],
    ["tokenizer.ggml.tokens", { type: "string[]", value: vocabulary.tokens }],
    ["tokenizer.ggml.token_type", { type: "int32[]", value: vocabulary.tokenTypes }],
    ["tokenizer.ggml.merges", { type: "string[]", value: vocabulary.merges }],
    ["tokenizer.ggml.bos_token_id", count(vocabulary.bosId)],
    ["tokenizer.ggml.eos_token_id", count(vocabulary.eosId)],
    ["tokenizer.ggml.eot_token_id", count(vocabulary.eotId)],
    ["tokenizer.ggml.padding_token_id", count(vocabulary.eosId)],
    ["general.quantization_version", count(2)],
  ]);
}

async function loadVocabulary(vocabSize: number): Promise<ReturnType<typeof extendVocabulary>> {
  const source = await openFileSource(embeddedModelUrl);
  try {
    return extendVocabulary((await openGguf(source)).metadata, vocabSize);
  } finally {
    await source.close();
  }
}
