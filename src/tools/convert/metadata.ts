import { fileTypeOf } from "../../files/file-types.js";
import { type GgufValue, writableMetadata } from "../../files/gguf-writer.js";
import type { ModelFile } from "../../files/model-file.js";
import { bitnetTemplate } from "../../text/chat-template.js";
import type { WeightFormat } from "../../weight-formats/index.js";

/** Size of Llama 3's vocabulary, which BitNet b1.58 2B4T uses, and its end-of-turn token. */
const llama3Tokens = 128_256;
const endOfTurn = { id: 128_009, text: "<|eot_id|>" };

/** The template in the official GGUF file of 2B4T. With it, the model never stops. */
const placeholder = "BITNETAssistant";

/**
 * The metadata of a converted file: the old metadata, the new type, and corrections of known faults, for all
 * later readers.
 */
export function convertedMetadata(file: ModelFile, format: WeightFormat): ReadonlyMap<string, GgufValue> {
  const metadata = new Map(writableMetadata(file));
  const fileType = fileTypeOf(format.name);
  if (fileType === undefined) metadata.delete("general.file_type");
  else metadata.set("general.file_type", { type: "uint32", value: fileType });
  metadata.set("general.quantization_version", { type: "uint32", value: 2 });

  const tokens = metadata.get("tokenizer.ggml.tokens")?.value;
  const count = Array.isArray(tokens) ? tokens.length : 0;
  const pre = metadata.get("tokenizer.ggml.pre")?.value ?? "";
  if (metadata.get("tokenizer.ggml.model")?.value === "gpt2" && pre === "") {
    // Here and in llama.cpp, an absent key means this. But 2B4T's is absent by mistake.
    const name = count === llama3Tokens ? "llama-bpe" : "default";
    metadata.set("tokenizer.ggml.pre", { type: "string", value: name });
  }
  if (is2B4T(file) && count === llama3Tokens) mend2B4T(metadata, tokens as readonly unknown[]);
  return metadata;
}

function is2B4T({ metadata }: ModelFile): boolean {
  const architecture = metadata.get("general.architecture");
  return architecture === "bitnet-b1.58" || architecture === "bitnet-25";
}

function mend2B4T(metadata: Map<string, GgufValue>, tokens: readonly unknown[]): void {
  if (tokens[endOfTurn.id] !== endOfTurn.text) return;
  const eot = "tokenizer.ggml.eot_token_id";
  if (!metadata.has(eot)) metadata.set(eot, { type: "uint32", value: endOfTurn.id });
  const template = metadata.get("tokenizer.chat_template")?.value;
  if (typeof template === "string" && !template.includes(placeholder)) return;
  metadata.set("tokenizer.chat_template", { type: "string", value: bitnetTemplate });
}
