import type { MatrixRole } from "../architectures/description.js";
import { throwIfAborted } from "../errors.js";
import type { TensorInfo } from "../files/model-file.js";
import { i2S } from "../weight-formats/i2-s.js";
import type { Packer, PackedParts } from "./layouts/layout.js";
import { corrupt, type Packing } from "./packing.js";
import { codeRowBytes, wholeBlocks } from "./ternary-blocks.js";

/**
 * A checkpoint's ternarized masters with rows of other lengths than multiples of 128: no file has them as
 * I2_S.
 */
export const ternaryFloatPackers: Readonly<Record<string, Packer>> = {
  "ternary F32": { packedBytes: (rows, cols) => rows * codeRowBytes(cols), pack: packTernaryFloats },
};

/** Weights encoded before the event loop gets a turn. */
const pieceElements = 1 << 20;

/** Fills rows up with zero weights to whole blocks of 128; their input is filled up with zeros, too. */
async function packTernaryFloats(
  packing: Packing,
  tensor: TensorInfo,
  { rows, cols }: MatrixRole,
  region: number,
): Promise<PackedParts> {
  const { memories, signal } = packing;
  const whole = wholeBlocks(cols);
  const rowBytes = codeRowBytes(cols);
  const pieceRows = Math.max(1, Math.floor(pieceElements / whole));
  const address = memories.allocate(region, rows * rowBytes, `tensor "${tensor.name}"`);
  let scale = 0;
  for (let row = 0; row < rows; row += pieceRows) {
    throwIfAborted(signal);
    const count = Math.min(pieceRows, rows - row);
    const bytes = await tensor.source.read(tensor.offset + row * cols * 4, count * cols * 4);
    const stored = new Float32Array(bytes.buffer, bytes.byteOffset, count * cols);
    const filled = new Float32Array(count * whole);
    for (let r = 0; r < count; r += 1) filled.set(stored.subarray(r * cols, (r + 1) * cols), r * whole);
    scale ||= Math.abs(stored.find((value) => value !== 0) ?? 0);
    if (stored.some((value) => value !== 0 && Math.abs(value) !== scale)) {
      throw corrupt(packing, tensor, row * cols * 4, "its weights have several magnitudes");
    }
    const codes = i2S.encode?.(filled).subarray(0, count * rowBytes) ?? new Uint8Array();
    memories.view({ region, address: address + row * rowBytes }, codes.length).set(codes);
    packing.onBytes(bytes.length);
  }
  return { address, scale };
}
