import { gguf } from "@huggingface/gguf";
import type { Metadata, MetadataValue } from "#dist/files/model-file.js";

/** A GGUF file's metadata as the library's own reader gives it, read by another one. */
export async function metadataOf(path: string): Promise<Metadata> {
  const { metadata } = await gguf(path, { allowLocalFile: true });
  const entries = Object.entries(metadata as Record<string, unknown>).map(([key, value]) => [
    key,
    convert(value),
  ]);
  return new Map(entries as [string, MetadataValue][]);
}

function convert(value: unknown): unknown {
  if (!Array.isArray(value) || typeof value[0] !== "number") return value;
  return value.every((entry) => Number.isInteger(entry)) ? Int32Array.from(value) : Float32Array.from(value);
}
