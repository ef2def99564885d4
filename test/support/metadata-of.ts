import { openGguf } from "#dist/files/gguf.js";
import type { Metadata } from "#dist/files/model-file.js";
import { openFileSource } from "#dist/platform/node.js";

/** A GGUF file's metadata. */
export async function metadataOf(path: string): Promise<Metadata> {
  const source = await openFileSource(path);
  try {
    return (await openGguf(source)).metadata;
  } finally {
    await source.close();
  }
}
