import type { MatrixRole } from "../../architectures/description.js";
import type { TensorInfo } from "../../files/model-file.js";
import type { Kernels } from "../../wasm/kernels.js";
import { type FloatType, requireFinitePiece } from "../finite.js";
import { type Packing, readIntoMemory } from "../packing.js";
import type { Layout, Packer, PackedParts } from "./layout.js";

type FloatMatmul = Kernels["matmul_f32_f32"];

/** `multiply` of a layout of floats, by a kernel that takes f32 rows. */
export function multiplyFloats(kernelOf: (kernels: Kernels) => FloatMatmul): Layout["multiply"] {
  return (
    worker,
    { region, address, cols, scale },
    { f32, tokens },
    { begin, end, address: y, stride, accumulate },
  ) => {
    const kernel = kernelOf(worker.kernels(region));
    kernel(address, cols, begin, end, f32, cols * 4, tokens, y, stride, scale, accumulate ? 1 : 0);
  };
}

/** A packer of floats that lie in memory as in the file. */
export function verbatimPacker(type: FloatType, elementBytes: number): Packer {
  return {
    packedBytes: (rows, cols) => rows * cols * elementBytes,
    pack: async (
      packing: Packing,
      tensor: TensorInfo,
      { rows, cols }: MatrixRole,
      region: number,
    ): Promise<PackedParts> => {
      const bytes = rows * cols * elementBytes;
      const address = await readIntoMemory(packing, tensor, { region, bytes }, (piece) =>
        requireFinitePiece(packing, tensor, type, { ...piece, region }),
      );
      return { address };
    },
  };
}
