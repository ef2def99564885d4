import type { MatrixRole } from "../../architectures/description.js";
import { throwIfAborted } from "../../errors.js";
import type { TensorInfo } from "../../files/model-file.js";
import { requireFinitePiece } from "../finite.js";
import { type Packing, pieceBytes, readIntoMemory } from "../packing.js";
import { f32Rows } from "./f32-rows.js";
import { multiplyFloats } from "./float-rows.js";
import type { Layout, PackedParts } from "./layout.js";

/** Halves with the exponent raised by 10 (assembly/simd/half). */
export const f16Rows: Layout = {
  name: "f16-rows",
  ternary: false,
  weightBytes: (cols) => cols * 2,
  recordBytes: () => 0,
  inputFormat: undefined,
  packers: {
    F16: { alternatives: [f32Rows], packedBytes: (rows, cols) => rows * cols * 2, pack: packF16 },
  },
  readRow: (kernels, { address, cols }, row, outputAddress) =>
    kernels.row_f16(address, cols, row, outputAddress),
  multiply: multiplyFloats((kernels) => kernels.matmul_f16_f32),
};

async function packF16(
  packing: Packing,
  tensor: TensorInfo,
  { rows, cols }: MatrixRole,
  region: number,
): Promise<PackedParts> {
  let small = true;
  const address = await readIntoMemory(packing, tensor, { region, bytes: rows * cols * 2 }, (piece) => {
    small &&= packing.kernels(region).pack_f16(piece.address, piece.address, piece.bytes / 2) !== 0;
  });
  if (small) return { address };
  packing.memories.free(region, address);
  return { address: await packAsF32(packing, tensor, rows * cols, region), layout: f32Rows };
}

/**
 * Rare: a weight of 128 or more has no half with a raised exponent, nor has one that is not finite. Reads the
 * tensor again; progress has counted it once.
 */
async function packAsF32(
  packing: Packing,
  tensor: TensorInfo,
  count: number,
  region: number,
): Promise<number> {
  const { memories } = packing;
  const staging = memories.allocate(region, pieceBytes, `reading ${tensor.name}`);
  const address = memories.allocate(region, count * 4, tensor.name);
  for (let begin = 0; begin < count * 2; begin += pieceBytes) {
    const bytes = Math.min(pieceBytes, count * 2 - begin);
    throwIfAborted(packing.signal);
    await tensor.source.readInto(tensor.offset + begin, memories.view({ region, address: staging }, bytes));
    requireFinitePiece(packing, tensor, "F16", { region, address: staging, bytes, begin });
    packing.kernels(region).widen_f16(staging, address + begin * 2, bytes / 2);
  }
  memories.free(region, staging);
  return address;
}
