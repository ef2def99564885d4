import { BitNetError } from "../errors.js";
import type { ModelFile } from "./model-file.js";
import { isPart } from "./split-gguf.js";

/** GGUF files that hold something other than a model, and what to do instead. */
const others: readonly {
  readonly matches: (file: ModelFile) => boolean;
  readonly what: string;
  readonly instead: string;
}[] = [
  {
    matches: isPart,
    what: "one part of a split model",
    instead: "name the file of a part on disk, with the other parts beside it",
  },
  {
    matches: ({ metadata }) => metadata.get("general.type") === "adapter" || metadata.has("adapter.type"),
    what: "an adapter (LoRA)",
    instead: "merge it into its base model, and name the merged file",
  },
  {
    matches: ({ metadata }) =>
      ["mmproj", "clip-vision"].includes(String(metadata.get("general.type"))) ||
      metadata.get("general.architecture") === "clip",
    what: "a projector for images or sound (mmproj)",
    instead: "name the model that it belongs to",
  },
  {
    matches: ({ metadata }) => metadata.get("general.type") === "imatrix",
    what: "an importance matrix",
    instead: "name the model that it was measured on",
  },
  {
    matches: ({ metadata, tensors }) => tensors.size === 0 && metadata.has("tokenizer.ggml.tokens"),
    what: "a vocabulary without weights",
    instead: "name a file with the weights",
  },
];

/** @throws BitNetError UNSUPPORTED_FILE for a file that holds something other than a model. */
export function requireModel(file: ModelFile): void {
  const found = others.find(({ matches }) => matches(file));
  if (found === undefined) return;
  throw new BitNetError(
    "UNSUPPORTED_FILE",
    `Cannot use "${file.source.name}" as a model: it is ${found.what}; ${found.instead}`,
  );
}
