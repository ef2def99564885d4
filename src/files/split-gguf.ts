import { BitNetError } from "../errors.js";
import type { ModelFile, TensorInfo } from "./model-file.js";

/**
 * The paths of all parts of a split GGUF file, in order. Undefined if the name is not that of one of several
 * parts.
 */
export function partPaths(path: string): readonly string[] | undefined {
  const [, before, , total] = /^(.*)-(\d{5})-of-(\d{5})\.gguf$/s.exec(path) ?? [];
  const count = Number(total);
  if (before === undefined || total === undefined || count < 2) return undefined;
  return Array.from({ length: count }, (_, index) => `${before}-${pad(index + 1)}-of-${total}.gguf`);
}

function pad(part: number): string {
  return String(part).padStart(5, "0");
}

/** Whether a file is one part of a model. */
export function isPart({ metadata }: ModelFile): boolean {
  return Number(metadata.get("split.count") ?? 1) > 1;
}

/**
 * One model of the parts that llama.cpp's splitter makes: the first part's metadata, and the tensors of all.
 *
 * @param parts all of them, in order. They stay open, and stay the caller's to close.
 * @throws BitNetError MODEL_INVALID where a file is not the part that its name says.
 */
export function joinParts(parts: readonly ModelFile[]): ModelFile {
  const [first] = parts;
  if (first === undefined) throw new TypeError("no parts");
  const tensors = new Map<string, TensorInfo>();
  parts.forEach((part, index) => {
    const [number, count] = ["split.no", "split.count"].map((key) => part.metadata.get(key));
    if (number !== index || count !== parts.length) {
      const is = count === undefined ? "no part" : `part ${Number(number) + 1} of ${String(count)}`;
      throw invalid(part, `by its metadata it is ${is}, expected part ${index + 1} of ${parts.length}`);
    }
    for (const [name, tensor] of part.tensors) {
      if (tensors.has(name)) throw invalid(part, `tensor "${name}" is in an earlier part too`);
      tensors.set(name, tensor);
    }
  });
  const count = first.metadata.get("split.tensors.count") ?? tensors.size;
  if (count !== tensors.size) {
    throw invalid(first, `it promises ${String(count)} tensors, and its parts have ${tensors.size}`);
  }
  const isWhole = ([key]: readonly [string, unknown]): boolean => !key.startsWith("split.");
  return {
    ...first,
    source: {
      name: first.source.name,
      size: parts.reduce((sum, { source }) => sum + source.size, 0),
      close: () => Promise.resolve(),
    },
    metadata: new Map([...first.metadata].filter(isWhole)),
    metadataTypes: new Map([...first.metadataTypes].filter(isWhole)),
    tensors,
  };
}

function invalid({ source }: ModelFile, problem: string): BitNetError {
  return new BitNetError(
    "MODEL_INVALID",
    `Cannot open "${source.name}" as a part of a split model: ${problem}`,
  );
}
