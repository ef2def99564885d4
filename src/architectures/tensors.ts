import type { ModelFile } from "../files/model-file.js";
import type { MatrixRole, VectorRole } from "./description.js";
import { invalid, unsupported } from "./metadata.js";

/** Tensors of files that graphs do not need: tables that we compute. */
const unused = /(^|\.)(rope_freqs|attn_rot_embd)\.weight$/;

/**
 * Finds a file's tensors for the parts of a graph, checks their shapes, and knows at the end which ones are
 * unused.
 */
export interface TensorRoles {
  has(tensor: string): boolean;
  /** @throws BitNetError MODEL_INVALID if it is missing or has another shape. */
  vector(tensor: string, length: number, factor?: number): VectorRole;
  /**
   * A matrix, with the file's scale for it if there is one.
   * @throws BitNetError MODEL_INVALID as `vector`.
   */
  matrix(tensor: string, rows: number, cols: number, factor?: number): MatrixRole;
  /**
   * @throws BitNetError UNSUPPORTED_ARCHITECTURE if the file has an unused tensor: a forgotten bias changes
   *   every token without a trace.
   */
  requireAllUsed(): void;
}

/** @param what the model in messages, such as "qwen3 model of 28 layers" */
export function createTensorRoles(file: ModelFile, architecture: string, what: string): TensorRoles {
  const used = new Set<string>();

  function requireShape(tensor: string, shape: readonly number[]): void {
    const info = file.tensors.get(tensor);
    if (info === undefined)
      throw invalid(file, `tensor "${tensor}" is missing; a ${what} has it`, { tensor });
    const actual = [...info.shape];
    while (actual.length > shape.length && actual.at(-1) === 1) actual.pop();
    if (actual.length !== shape.length || actual.some((size, i) => size !== shape[i])) {
      throw invalid(
        file,
        `tensor "${tensor}" has shape [${info.shape.join(", ")}], and the metadata says [${shape.join(", ")}]`,
        { tensor, shape: info.shape, expected: shape },
      );
    }
    used.add(tensor);
  }

  return {
    has: (tensor) => file.tensors.has(tensor),
    vector(tensor, length, factor = 1): VectorRole {
      requireShape(tensor, [length]);
      return { tensor, length, factor };
    },
    matrix(tensor, rows, cols, factor = 1): MatrixRole {
      requireShape(tensor, [cols, rows]);
      const scale = tensor.replace(/\.weight$/, ".scale");
      const outputScale = file.tensors.has(scale) ? scale : undefined;
      if (outputScale !== undefined) requireShape(outputScale, [1]);
      return { tensor, rows, cols, outputScale, factor };
    },
    requireAllUsed(): void {
      for (const tensor of file.tensors.keys()) {
        if (used.has(tensor) || unused.test(tensor)) continue;
        throw unsupported(
          file,
          `tensor "${tensor}" has no place in the ${architecture} graph, and leaving it out would give wrong text`,
          { tensor, architecture },
        );
      }
    },
  };
}
